/** The contracts of both doors, put around every owner and driver of a machine. */
import type { OwnerChecks } from "../../pagecache/page-cache.ts";
import type { Turns } from "./contract.ts";
import { checkedMovableOperations } from "./driver-contract.ts";
import { checkedOperations } from "./owner-contract.ts";

export function contractChecks(turns: Turns): OwnerChecks {
  return {
    ofOwner: (name, ops) => checkedOperations(name, ops, turns),
    ofDriver: (ops) => checkedMovableOperations(ops, turns),
  };
}
