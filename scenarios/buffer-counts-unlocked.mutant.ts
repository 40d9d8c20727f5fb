import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "private_lock is given up between the look at the counts and the swap",
  file: "src/migrate/buffer-callbacks.ts",
  text: `  yield "buffers-scanned";
  if (held === 0) outcome = yield* moveLocked(move);
  else mem.events.refusals.refuse("buffer_held", held, 0);
  privateLock.unlock();`,
  replacement: `  privateLock.unlock();
  yield "buffers-scanned";
  if (held === 0) outcome = yield* moveLocked(move);
  else mem.events.refusals.refuse("buffer_held", held, 0);`,
  says: /the write is lost/,
};

export default mutant;
