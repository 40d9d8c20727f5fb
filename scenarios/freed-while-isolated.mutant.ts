import type { Mutant } from "../src/lab/index.ts";

const mutants: readonly Mutant[] = [
  {
    what: "a driver is asked to move a page without a look whether it still has it",
    file: "src/migrate/move-movable.ts",
    text: "if (pageMovable(mem, src)) {",
    replacement: "{",
    says: /not a movable page/,
  },
  {
    what: "the driver unlinks the page that it frees, whose links are the mover's",
    file: "src/migrate/small-driver.ts",
    text: `    if (isIsolated) this.isolated--;
    else listDel(mem, page);`,
    replacement: `    if (isIsolated) this.isolated--;
    listDel(mem, page);`,
    says: /on no list/,
  },
];

export default mutants;
