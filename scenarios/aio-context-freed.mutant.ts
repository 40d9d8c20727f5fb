import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the file goes on naming a context that is freed",
  file: "shared/aio-ring.ts",
  text: `    this.ofFile = null;
`,
  replacement: "",
  says: /a context is used that has been freed/,
};

export default mutant;
