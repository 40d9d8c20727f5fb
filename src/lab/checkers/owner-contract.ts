/**
 * The contracts of an owner's operations, as the table at the head of
 * `pagecache/address-space-operations.ts` has them: which lock on entry, which on return.
 *
 * A missing member stays missing, for that means something. That a lock was given up is asked only
 * while nobody else could have taken it since.
 */
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type {
  AddressSpace,
  AddressSpaceOperations,
  WritepageOutcome,
} from "../../pagecache/address-space.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { Contract, type Turns } from "./contract.ts";
import { checkedMigrateFolio } from "./migrate-contract.ts";

const ENTRY = "on entry";

/** What most operations get. */
type OnFolio<T> = (mem: Memory, mapping: AddressSpace, folio: Folio) => Blocking<T>;

/** Asked on entry and, with the answer, on return. */
interface Sides<T> {
  entry(contract: Contract, folio: Folio): void;
  end(contract: Contract, folio: Folio, answer: T, when: string): void;
}

/** The same table, each operation of which throws a `ContractError` where a contract is broken. */
export function checkedOperations(
  owner: string,
  ops: AddressSpaceOperations,
  turns: Turns,
): AddressSpaceOperations {
  const { migrateFolio } = ops;
  return {
    ...ops,
    ...withLocks(owner, ops, turns),
    ...withAnswers(owner, ops, turns),
    ...(migrateFolio && { migrateFolio: checkedMigrateFolio(owner, turns, migrateFolio) }),
  };
}

/** Operations that find the lock held, and leave it so or give it up. */
function withLocks(
  owner: string,
  ops: AddressSpaceOperations,
  turns: Turns,
): Partial<AddressSpaceOperations> {
  const { writepage, readFolio, launderFolio, releaseFolio, invalidateFolio, freeFolio } = ops;
  const { isPartiallyUptodate } = ops;
  return {
    ...(writepage && {
      *writepage(mem, mapping, folio, sync): Blocking<WritepageOutcome> {
        const call: OnFolio<WritepageOutcome> = () => writepage(mem, mapping, folio, sync);
        return yield* checked(owner, "writepage", turns, call, WRITEPAGE)(mem, mapping, folio);
      },
    }),
    ...(readFolio && { readFolio: checked(owner, "readFolio", turns, readFolio, READ_FOLIO) }),
    ...(launderFolio && {
      launderFolio: checked<"done" | "EIO">(owner, "launderFolio", turns, launderFolio, KEEPS_LOCK),
    }),
    ...(releaseFolio && {
      *releaseFolio(mem, mapping, folio): Steps<boolean> {
        const contract = new Contract(mem, owner, "releaseFolio", turns);
        isLocked(contract, folio);
        const isGone = yield* releaseFolio(mem, mapping, folio);
        const when = `after "${isGone}"`;
        contract.has(folio, "the folio", PG.locked, when);
        if (isGone) contract.lacks(folio, "the folio", PG.private, when);
        return isGone;
      },
    }),
    ...(invalidateFolio && {
      *invalidateFolio(mem, mapping, folio, offset, length): Blocking<void> {
        const call: OnFolio<void> = () => invalidateFolio(mem, mapping, folio, offset, length);
        const op = checked(owner, "invalidateFolio", turns, call, INVALIDATE);
        yield* op(mem, mapping, folio);
      },
    }),
    ...(freeFolio && {
      freeFolio(mem, folio): void {
        const contract = new Contract(mem, owner, "freeFolio", turns);
        contract.has(folio, "the folio", PG.locked, ENTRY);
        contract.isSame(folio, "the folio", "mapping", 0, mem.mapping[folio], ENTRY);
        freeFolio(mem, folio);
        contract.has(folio, "the folio", PG.locked, "on return");
      },
    }),
    ...(isPartiallyUptodate && {
      isPartiallyUptodate(mem, mapping, folio, from, length): boolean {
        const contract = new Contract(mem, owner, "isPartiallyUptodate", turns);
        contract.has(folio, "the folio", PG.locked, ENTRY);
        return isPartiallyUptodate(mem, mapping, folio, from, length);
      },
    }),
  };
}

/** Operations that find no lock and may return with one. */
function withAnswers(
  owner: string,
  ops: AddressSpaceOperations,
  turns: Turns,
): Partial<AddressSpaceOperations> {
  const { writeBegin, writeEnd, pageMkwrite } = ops;
  return {
    ...(pageMkwrite && {
      pageMkwrite: checked(owner, "pageMkwrite", turns, pageMkwrite, MKWRITE),
    }),
    ...(writeBegin && {
      *writeBegin(mem, mapping, pos, length): Blocking<Folio | "ENOMEM" | "EIO"> {
        const contract = new Contract(mem, owner, "writeBegin", turns);
        const folio = yield* writeBegin(mem, mapping, pos, length);
        if (typeof folio === "number") {
          contract.has(folio, "the folio", PG.locked, "on return");
          isHeld(contract, folio, "on return");
        }
        return folio;
      },
    }),
    ...(writeEnd && {
      *writeEnd(mem, mapping, pos, length, folio): Blocking<void> {
        const contract = new Contract(mem, owner, "writeEnd", turns);
        contract.has(folio, "the folio", PG.locked, ENTRY);
        yield* writeEnd(mem, mapping, pos, length, folio);
        if (contract.isQuiet) contract.lacks(folio, "the folio", PG.locked, "on return");
      },
    }),
  };
}

function checked<T>(
  owner: string,
  operation: string,
  turns: Turns,
  call: OnFolio<T>,
  sides: Sides<T>,
): OnFolio<T> {
  return function* checkedCall(mem, mapping, folio): Blocking<T> {
    const contract = new Contract(mem, owner, operation, turns);
    sides.entry(contract, folio);
    const answer = yield* call(mem, mapping, folio);
    const when = answer === undefined ? "on return" : `after "${String(answer)}"`;
    sides.end(contract, folio, answer, when);
    return answer;
  };
}

function isLocked(contract: Contract, folio: Folio): void {
  contract.has(folio, "the folio", PG.locked, ENTRY);
}

function isHeld(contract: Contract, folio: Folio, when: string): void {
  const { refcount } = contract.sight(folio);
  contract.holds(refcount > 0, when, `folio ${folio} without a reference`, "one at least");
}

const KEEPS_LOCK: Sides<unknown> = {
  entry: isLocked,
  end: (contract, folio, _answer, when) => contract.has(folio, "the folio", PG.locked, when),
};

const INVALIDATE: Sides<void> = {
  entry(contract, folio) {
    isLocked(contract, folio);
    contract.lacks(folio, "the folio", PG.writeback, ENTRY);
  },
  end: KEEPS_LOCK.end,
};

const WRITEPAGE: Sides<WritepageOutcome> = {
  entry(contract, folio) {
    isLocked(contract, folio);
    contract.lacks(folio, "the folio", PG.writeback, ENTRY);
  },
  end(contract, folio, outcome, when) {
    if (outcome === "activate") contract.has(folio, "the folio", PG.locked, when);
    else if (contract.isQuiet) contract.lacks(folio, "the folio", PG.locked, when);
  },
};

const READ_FOLIO: Sides<"started" | "EIO"> = {
  entry: isLocked,
  end(contract, folio, outcome, when) {
    const mustBeOver = outcome === "EIO" && contract.isQuiet;
    if (mustBeOver) contract.lacks(folio, "the folio", PG.locked, when);
  },
};

const MKWRITE: Sides<"locked" | "truncated" | "EIO"> = {
  entry: (contract, folio) => isHeld(contract, folio, ENTRY),
  end(contract, folio, outcome, when) {
    if (outcome === "locked") contract.has(folio, "the folio", PG.locked, when);
  },
};
