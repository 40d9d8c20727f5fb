import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the new place is known to the reverse map once its entries have come",
  file: "src/vm/mremap.ts",
  text: `  vm.copyVma(vma, { startVpn: newVpn, endVpn: newVpn + newPages, pgoff });
  yield* movePageTables(vm, mm, vpn, newVpn, oldPages);`,
  replacement: `  yield* movePageTables(vm, mm, vpn, newVpn, oldPages);
  yield "the walk is here";
  vm.copyVma(vma, { startVpn: newVpn, endVpn: newVpn + newPages, pgoff });`,
  says: /a migration entry of an unlocked folio/,
};

export default mutant;
