import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the cache is switched to the new page before the buffers are locked",
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
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
  if (outcome !== "moved") return outcome;
  for (const bh of ring) yield* bh.lock();
  movePrivate(mem, dst, src);
  for (const bh of ring) bh.folio = dst;
  copyUnlessDone(mem, dst, src, mode);
  for (const bh of ring) bh.unlock();
  return outcome;`,
  says: /a block of a cached page is not found/,
};

export default mutant;
