import type { Mutant } from "godwit/lab";

const mutant: Mutant = {
  what: "a sync takes the page's lock for free, as it is with one task at a time",
  file: "buffered-fs.ts",
  text: "yield* folioLock(mem, folio);",
  replacement: "folioLock(mem, folio).next();",
};

export default mutant;
