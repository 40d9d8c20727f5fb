import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the callback leaves the mark of an ordered extent behind",
  file: "shared/ordered-file.ts",
  text: "  if (testAndClearFlag(mem, src, PG.private2)) setFlag(mem, dst, PG.private2);",
  replacement: "  testAndClearFlag(mem, src, PG.private2);",
  says: /deadlock: writer waits for an ordered extent/,
};

export default mutant;
