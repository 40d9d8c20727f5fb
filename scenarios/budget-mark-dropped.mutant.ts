import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the callback lets go of the private mark instead of moving it",
  file: "shared/budgeted-file.ts",
  text: "movePrivate(mem, dst, src);",
  replacement: "folioDetachPrivate(mem, src);",
  says: /space stays reserved/,
};

export default mutant;
