import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "a PROT_NONE entry becomes a migration entry without a flush",
  file: "src/vm/migration-entry.ts",
  text: "flushTlbPage(vm, vma.mm, vpn);",
  replacement: "if ((bits & PTE.protNone) === 0) flushTlbPage(vm, vma.mm, vpn);",
  says: /a store is lost|has written to the free frame/,
};

export default mutant;
