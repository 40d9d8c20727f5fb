/** Two mistakes that work with one task at a time. */
import type { Mutant } from "godwit/lab";

const mutants: readonly (Mutant & { readonly scenario: string })[] = [
  {
    what: "the copy is made before the driver's lock is taken",
    scenario: "a write by handle is found there after the page has moved",
    file: "movable-driver.ts",
    text: `    yield* this.lock.lock();
    mem.frames.copy(dst, src);
    yield "driver-copied";`,
    replacement: `    mem.frames.copy(dst, src);
    yield "driver-copied";
    yield* this.lock.lock();`,
    says: "the write is lost",
  },
  {
    what: "the page is looked up, and not again once its lock is there",
    scenario: "a page that is freed while the VM has it is freed once",
    file: "movable-driver.ts",
    text: "if (this.pageOf(handle) === page) return page;",
    replacement: "if (page > 0) return page;",
  },
];

export default mutants;
