import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "KSM takes a migration entry for no page",
  file: "src/vm/ksm/break-ksm.ts",
  text: `      yield* migrationEntryWait(vm, entry);
      continue;`,
  replacement: '      return "done";',
  says: /a merged page is left/,
};

export default mutant;
