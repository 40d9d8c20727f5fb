import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "a batch is moved by the rules of the caller's mode",
  file: "src/migrate/migrate-batched.ts",
  text: 'const first = new MigrateRun(vm, target, "async", reason);',
  replacement: "const first = new MigrateRun(vm, target, run.mode, reason);",
  says: /deadlock: mover waits for folio .*; loop device waits for folio/,
};

export default mutant;
