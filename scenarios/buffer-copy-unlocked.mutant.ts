import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "private_lock is given up for the copy, and no mark keeps lookups out",
  file: "src/migrate/buffer-callbacks.ts",
  text: '  yield "buffers-point-at-dst";',
  replacement: `  mapping.privateLock.unlock();
  yield "buffers-point-at-dst";
  yield* mapping.privateLock.lock();`,
  says: /the write is lost/,
};

export default mutant;
