/** What the reduction saves, as a table and as data. */
import { agreement, type Reduction } from "../lab/reduction.ts";

/** A line a scenario: schedules with and without, how many times fewer, how runs ended. */
export function reductionText(reductions: readonly Reduction[]): string {
  const head = ["schedules", "without", "times", "endings", ""];
  const rows = reductions.map((each) => {
    const { reduced, all } = each;
    const [few, many] = [reduced.schedules, all.schedules];
    const atLeast = all.complete ? "" : ">";
    return [
      `${few}${reduced.complete ? "" : "+"}`,
      `${atLeast}${many}`,
      `${atLeast}${(many / few).toFixed(1)}`,
      `${reduced.finalStates?.length ?? 0}`,
      agreement(each),
    ];
  });
  const lines = [head, ...rows].map((cells, at) => {
    const figures = cells.slice(0, 4).map((cell) => cell.padStart(11));
    return `${figures.join("")}  ${cells[4].padEnd(8)} ${at === 0 ? "" : reductions[at - 1].name}`;
  });
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

export function reductionJson(reductions: readonly Reduction[]): { reductions: unknown[] } {
  return {
    reductions: reductions.map((each) => ({
      name: each.name,
      schedules: each.reduced.schedules,
      complete: each.reduced.complete,
      without: each.all.schedules,
      withoutComplete: each.all.complete,
      finalStates: each.reduced.finalStates?.length ?? 0,
      agreement: agreement(each),
    })),
  };
}
