import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the worker waits for the lock of a page, and takes it to be in the chain then",
  file: "shared/zspage.ts",
  text: `      folioGet(mem, page);
      this.migrateLock.unlock();
      yield* folioLock(mem, page);
      folioUnlock(mem, page);
      folioPut(mem, page);
      yield* this.migrateLock.lock();
`,
  replacement: `      this.migrateLock.unlock();
      yield* folioLock(mem, page);
      this.lockedPages++;
      last = page;
      yield* this.migrateLock.lock();
`,
  // The link of a page that is freed leads to a page of somebody else's, locked or not.
  says: /pages locked, not all|deadlock: worker waits/,
};

export default mutant;
