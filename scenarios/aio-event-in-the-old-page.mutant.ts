import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the copy is over before completion_lock is taken",
  file: "shared/aio-ring.ts",
  text: `    yield* context.completionLock.lock();
    folioMigrateCopy(mem, dst, src);
    yield "aio-copied";`,
  replacement: `    folioMigrateCopy(mem, dst, src);
    yield "aio-copied";
    yield* context.completionLock.lock();`,
  says: /the event is lost|expected 7, as in src/,
};

export default mutant;
