import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "migration takes pages of a stack that exec is moving",
  file: "src/vm/migration-entry.ts",
  text: "if (skipsStacks && (vma.flags & VM.incompleteStack) !== 0) continue;",
  replacement: "",
  says: /a migration entry of an unlocked folio/,
};

export default mutant;
