/**
 * Sentences about the arguments of a call, where the record does not tell them beside it.
 *
 * They stand in descriptions for the most part. An array "in unmapped memory" has so many entries
 * that can be used; a bad or null pointer has none.
 */
import type { CallWorld } from "../call-world.ts";
import { numbers, type Sentence, sentence } from "./sentence.ts";

/** Tried on setup, as all sentences are. */
export const ARRAYS: readonly Sentence[] = [
  sentence(
    "^pages array: exactly (?<count>\\d+) readable entry \\(next is unmapped\\)$",
    (world, { count }) => {
      // The entry has to name a page: one of the caller's, where its processor's memory is.
      world.touch(world.map("BH", count), 0);
      world.args.pagesMapped = Number(count);
    },
  ),
  sentence(
    "^nodes array: (?<count>\\d+) readable entries, \\[(?<first>[\\d,]+),0\\.\\.\\]$",
    (world, { count, first }) => {
      const told = numbers(first);
      world.args.nodes = Array.from({ length: Number(count) }, (_, at) => told[at] ?? 0);
    },
  ),
  sentence("^status valid (?<count>\\d+)$", (world, { count }) => {
    world.args.statusMapped = Number(count);
  }),
];

/** Tried on descriptions. */
export const ARGUMENTS: readonly Sentence[] = [
  sentence("\\bquery\\b", (world) => {
    world.args.nodes = "query";
  }),
  sentence("\\bnr (?<count>\\d+)\\b", (world, { count }) => {
    world.args.nrPages = Number(count);
  }),
  sentence("^(?<array>pages|nodes|status)(?: pointer)? (?:NULL|0x1000 \\(unmapped\\))", unmapped),
  sentence(
    "^(?<array>pages|nodes|status) array: entries (?<list>[\\d,]+) (?:read|writ)able, ",
    unmapped,
  ),
  sentence("\\btargets (?<list>[\\d,]+)$", (world, { list }) => {
    world.args.nodes = numbers(list);
  }),
];

function unmapped({ args }: CallWorld, { array, list }: Readonly<Record<string, string>>): void {
  const mapped = list === undefined ? 0 : numbers(list).length;
  if (array === "pages") args.pagesMapped = mapped;
  else if (array === "nodes") args.nodesMapped = mapped;
  else args.statusMapped = mapped;
}
