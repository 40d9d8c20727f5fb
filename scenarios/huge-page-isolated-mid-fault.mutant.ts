import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "a huge page is marked to be moved before it is mapped",
  file: "src/vm/hugetlb/fault.ts",
  text: `  clearPages(mem, folio);
  yield "hugetlb-fault-cleared";`,
  replacement: `  clearPages(mem, folio);
  setHugetlbBit(mem, folio, HPG.migratable);
  yield "hugetlb-fault-cleared";`,
  says: /can be taken again|that nobody maps yet/,
};

export default mutant;
