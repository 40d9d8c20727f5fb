import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "who waits for a move holds the page meanwhile",
  file: "src/vm/migration-entry.ts",
  text: "  yield* folioWaitUnlock(mem, folio);",
  replacement: `  mem.refcount[folio]++;
  yield* folioWaitUnlock(mem, folio);
  folioPut(mem, folio);`,
  says: /the page did not move: EAGAIN/,
};

export default mutant;
