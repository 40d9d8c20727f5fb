/**
 * What descriptions tell of a world besides the setup: who calls, and what has no line of its own.
 *
 * Every sentence that fits a description is followed; a description need not fit any.
 */

import { VM } from "../../vm/mm.ts";
import { becomeUser } from "../../vm/process.ts";
import { ARGUMENTS } from "./arguments.ts";
import { HUGETLB_DESCRIBED } from "./hugetlb.ts";
import { userProcess } from "./processes.ts";
import { type Sentence, sentence } from "./sentence.ts";
import { SPECIAL_DESCRIBED } from "./special.ts";

export const DESCRIPTIONS: readonly Sentence[] = [
  ...ARGUMENTS,
  ...HUGETLB_DESCRIBED,
  ...SPECIAL_DESCRIBED,
  // A child becomes the user and calls: its memory is what it had when it was forked.
  sentence("^uid (?<uid>\\d+)\\b", (world, { uid }) => {
    world.caller = world.fork(`caller of uid ${uid}`);
    becomeUser(world.caller, Number(uid));
  }),
  sentence("^root moves a page of uid (?<uid>\\d+)'s process$", (world, { uid }) => {
    userProcess(world, Number(uid));
  }),
  sentence("^mlock2\\(MLOCK_ONFAULT\\), untouched$", (world) => {
    world.map(world.onlyName, undefined, world.self, VM.read | VM.write | VM.locked);
  }),
];
