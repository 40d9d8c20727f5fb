import type { Mutant } from "godwit/lab";

const mutant: Mutant = {
  what: "the page's lock is given up before the page is under writeback",
  file: "no-migrate.ts",
  text: `  folioStartWriteback(mem, mapping, folio);
  yield "unmoved-under-writeback";
  folioUnlock(mem, folio);`,
  replacement: `  folioUnlock(mem, folio);
  yield "unmoved-under-writeback";
  folioStartWriteback(mem, mapping, folio);`,
  says: "after a sync the device has: 0",
};

export default mutant;
