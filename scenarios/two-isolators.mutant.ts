/** Looks at a driver's page that are left out, each found by the scenario that needs it. */
import type { Mutant } from "../src/lab/index.ts";

const FILE = "src/migrate/isolate-movable.ts";

const mutants: readonly (Mutant & { readonly scenario: string })[] = [
  {
    what: "under the lock nobody looks whether the page is isolated already",
    scenario: "of two isolators one has a driver's page at a time",
    file: FILE,
    text: "if (!pageMovable(mem, page) || testFlag(mem, page, PG.isolated)) return false;",
    replacement: "if (!pageMovable(mem, page)) return false;",
    says: /without isolated/,
  },
  {
    what: "under the lock nobody looks whether the page still has a driver",
    scenario: "a page that is freed is isolated before that, or not at all",
    file: FILE,
    text: "if (!pageMovable(mem, page) || testFlag(mem, page, PG.isolated)) return false;",
    replacement: "if (testFlag(mem, page, PG.isolated)) return false;",
    says: /not a movable page/,
  },
  {
    what: "a page is put back without a look whether it still has a driver",
    scenario: "a page that is freed is isolated before that, or not at all",
    file: "src/migrate/move-movable.ts",
    text: "if (pageMovable(mem, page)) yield* pageMovableOps",
    replacement: "yield* pageMovableOps",
    says: /not a movable page/,
  },
];

export default mutants;
