/**
 * Follows the `setup` lines of call records: the one parser, over the sentences of every subject.
 *
 * A line is tried whole, then clause by clause at its semicolons. One that no sentence fits makes
 * the record one that cannot be replayed; nothing is guessed.
 */
import type { CallWorld } from "../call-world.ts";
import { ANONYMOUS } from "./anonymous.ts";
import { ARRAYS } from "./arguments.ts";
import { DESCRIPTIONS } from "./descriptions.ts";
import { FILES } from "./files.ts";
import { HOLDERS } from "./holders.ts";
import { HUGE_PAGE_SENTENCES } from "./huge-pages.ts";
import { HUGETLB } from "./hugetlb.ts";
import { KSM } from "./ksm.ts";
import { PROCESSES } from "./processes.ts";
import { makesNothing as isTelling, type Sentence, tells } from "./sentence.ts";
import { SHORTAGE } from "./shortage.ts";
import { SPECIAL } from "./special.ts";
import { SWAP_SENTENCES } from "./swap.ts";

/** Nothing is to be done for these: addresses that the call names by themselves. */
const ADDRESSES: readonly Sentence[] = [
  tells("^(?:0|0x[\\da-f]+)?$"),
  tells("^no mapping at 0$"),
  tells("^address \\w+\\+\\d+$"),
];

/** The first that fits is taken. */
const SENTENCES: readonly Sentence[] = [
  ...ADDRESSES,
  ...ANONYMOUS,
  ...PROCESSES,
  ...FILES,
  ...HOLDERS,
  ...HUGE_PAGE_SENTENCES,
  ...HUGETLB,
  ...KSM,
  ...SPECIAL,
  ...SHORTAGE,
  ...ARRAYS,
  ...SWAP_SENTENCES,
];

/**
 * Does what a line of `setup` says; false if any of it is not known.
 *
 * Throws `NotMade` for a line about something that no earlier line made.
 */
export function setUp(world: CallWorld, line: string): boolean {
  return say(world, line) || line.split("; ").every((clause) => say(world, clause));
}

/** Whether a line only tells what is so: a world without it is the same. */
export function makesNothing(line: string): boolean {
  return line.split("; ").every((clause) => {
    const said = SENTENCES.find(({ sentence }) => sentence.test(clause));
    return said !== undefined && isTelling(said);
  });
}

/** Does what a description tells besides; most tell nothing. */
export function describe(world: CallWorld, description: string): void {
  for (const { sentence, make } of DESCRIPTIONS) {
    const match = sentence.exec(description);
    if (match !== null) make(world, match.groups ?? {});
  }
}

function say(world: CallWorld, clause: string): boolean {
  for (const { sentence, make } of SENTENCES) {
    const match = sentence.exec(clause);
    if (match === null) continue;
    make(world, match.groups ?? {});
    return true;
  }
  return false;
}
