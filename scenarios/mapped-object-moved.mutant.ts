import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the move does not look whether an object was mapped since the isolation",
  file: "shared/buddied-page.ts",
  text: `    if (this.mappedCount > 0) {
      this.lock.unlock();
      return "EBUSY";
    }
`,
  replacement: "",
  says: /has written to the free frame/,
};

export default mutant;
