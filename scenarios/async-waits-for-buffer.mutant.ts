import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "buffers are locked, not tried, whatever the mode",
  file: "src/migrate/buffer-callbacks.ts",
  text: 'if (!(yield* trylockBuffers(mem, ring))) return "EAGAIN";',
  replacement: "for (const bh of ring) yield* bh.lock();",
  says: /must not sleep here and would on: buffer/,
};

export default mutant;
