import type { Mutant } from "../src/lab/index.ts";

const mutants: readonly Mutant[] = [
  {
    what: "who destroys the pool waits for no isolated page",
    file: "shared/zs-pool.ts",
    text: `    while (this.isolatedPages > 0) yield this.isolationsOver;
`,
    replacement: "",
    says: /work is queued for a pool that has been destroyed/,
  },
  {
    what: "the worker is waited for before the isolated pages, and not after them",
    file: "shared/zs-pool.ts",
    text: `    while (this.isolatedPages > 0) yield this.isolationsOver;
    while (this.isWorkQueued) yield this.workDone;
`,
    replacement: `    while (this.isWorkQueued) yield this.workDone;
    while (this.isolatedPages > 0) yield this.isolationsOver;
`,
    says: /the worker works for a pool that has been destroyed/,
  },
];

export default mutants;
