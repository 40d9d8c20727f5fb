import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "a huge entry stays usable while its page moves",
  file: "src/vm/huge/migration-pmd.ts",
  text: "const kept = migrationBits(bits, isExclusive);",
  replacement: "const kept = migrationBits(bits, isExclusive) | bits;",
  says: /what the device wrote is lost/,
};

export default mutant;
