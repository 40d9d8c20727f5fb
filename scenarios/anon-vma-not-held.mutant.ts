import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the anon_vma is let go of once the page is unmapped",
  file: "src/migrate/unmap.ts",
  text: "  const id = anonVma === null ? 0 : anonVma.id + 1;",
  replacement: `  if (anonVma !== null) putAnonVma(run.vm, anonVma);
  const id = 0;`,
  says: /from an anon_vma that is gone/,
};

export default mutant;
