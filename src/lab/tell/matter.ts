/**
 * Which folios a story is about: those that two actors changed, those that the error names, and
 * those that stood in the place of one, as the two folios of a move do. All, if these are none.
 */
import type { RecordedStep } from "./recorder.ts";

export function folioKey(machine: number, pfn: number): string {
  return `${machine}:${pfn}`;
}

/** Keys of the folios that matter, ascending. */
export function foliosThatMatter(
  steps: readonly RecordedStep[],
  places: ReadonlyMap<string, ReadonlySet<string>>,
  rule: string,
): Set<string> {
  const changedBy = actorsByFolio(steps);
  const named = numbersIn(rule);
  const chosen = new Set<string>();
  for (const [key, actors] of changedBy) {
    const pfn = key.slice(key.indexOf(":") + 1);
    if (actors.size > 1 || named.has(pfn)) chosen.add(key);
  }
  const theirs = new Set([...chosen].flatMap((key) => [...(places.get(key) ?? [])]));
  for (const key of changedBy.keys()) {
    for (const place of places.get(key) ?? []) if (theirs.has(place)) chosen.add(key);
  }
  return chosen.size > 0 ? chosen : new Set(changedBy.keys());
}

function actorsByFolio(steps: readonly RecordedStep[]): Map<string, Set<number>> {
  const changedBy = new Map<string, Set<number>>();
  for (const { actor, changes } of steps) {
    for (const { machine, pfn } of changes) {
      const key = folioKey(machine, pfn);
      changedBy.set(key, (changedBy.get(key) ?? new Set()).add(actor));
    }
  }
  return changedBy;
}

/** Numbers behind a word for a page, or behind the colon that assertions write before values. */
function numbersIn(rule: string): Set<string> {
  const named = rule.matchAll(/\b(?:folio|page|frame|pfn|src|dst)s?:? (\d+)/gi);
  const listed = /:((?: -?\d+)+)\s*$/.exec(rule)?.[1].trim().split(" ") ?? [];
  return new Set([...[...named].map(([, number]) => number), ...listed]);
}
