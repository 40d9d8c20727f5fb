import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "the callback moves the page of a request like any other",
  file: "shared/network-file.ts",
  text: `  if (testFlag(mem, src, PG.private)) return "EBUSY";
`,
  replacement: "",
  says: /the server has other bytes/,
};

export default mutant;
