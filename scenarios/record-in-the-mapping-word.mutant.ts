import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the anon_vma is noted in the mapping word of the new page, too",
  file: "src/migrate/unmap.ts",
  text: "  run.vm.mem.private[dst] = (id << 1) | (wasMapped ? 1 : 0);",
  replacement: `  run.vm.mem.private[dst] = (id << 1) | (wasMapped ? 1 : 0);
  run.vm.mem.mapping[dst] = id << 2;`,
  says: /a page that its file does not know/,
};

export default mutant;
