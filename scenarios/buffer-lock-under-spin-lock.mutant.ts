import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "private_lock is taken before the buffers, which are slept for",
  file: "src/migrate/buffer-callbacks.ts",
  text: `  const ring = head.ring();
  if (mode === "async") {
    if (!(yield* trylockBuffers(mem, ring))) return "EAGAIN";
  } else if (mode === "sync-light" && !mem.profile.syncLightWaitsForReads) {
    if (!(yield* lockUnlessRead(mem, ring))) return "EAGAIN";
  } else {
    for (const bh of ring) yield* bh.lock();
  }
  const outcome = yield* moveBuffers({ mem, mapping, dst, src, mode, ring });
  for (const bh of ring) bh.unlock();
  return outcome;`,
  replacement: `  const ring = head.ring();
  yield* mapping.privateLock.lock();
  for (const bh of ring) yield* bh.lock();
  const outcome = yield* moveBuffers({ mem, mapping, dst, src, mode, ring });
  for (const bh of ring) bh.unlock();
  mapping.privateLock.unlock();
  return outcome;`,
  says: /deadlock: mover waits for buffer; journal waits for/,
};

export default mutant;
