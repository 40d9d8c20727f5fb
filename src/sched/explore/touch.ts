/**
 * What each step really touched: the recorder of the tracked build.
 *
 * In that build every read and write of shared state goes by here (`tracked/`); in others nothing
 * does, and footprints are empty. A run calls `beginRun`, makes the tasks, calls `record`, and
 * after each step takes what the step touched. There is one recorder, as there is one thread.
 */
import { Footprint, strongest } from "./footprint.ts";
import { doubled, locations } from "./locations.ts";
import { restartNumbers } from "./numbers.ts";

export { Footprint } from "./footprint.ts";
export { objectsSeen } from "./numbers.ts";

const LAST_STEP = 1 << 29;
const NOTHING = new Footprint(new Int32Array(0));

let tracked = false;
/** Whether touches are recorded: asked first by all that note one. */
export let recording = false;
/** Counts what was taken; `marks` of earlier steps are those of nobody. */
let step = 1;
/** For each location: the step that touched it last, and how, in the two lowest bits. */
let marks: Int32Array = new Int32Array(1 << 12);
/** The locations of this step. */
let touched: Int32Array = new Int32Array(1 << 10);
let count = 0;

/** Whether any module of this build was instrumented. */
export function isTracked(): boolean {
  return tracked;
}

/** Called by each instrumented module as it loads. */
export function setTracked(): void {
  tracked = true;
}

/** The next object made gets number 0; nothing is recorded yet. */
export function beginRun(): void {
  restartNumbers();
  endRun();
}

/** Records from now on: what sets a run's scene is nobody's step, and most of what it touches. */
export function record(): void {
  forget();
  recording = true;
}

/** Records nothing until the next run begins: for checks of a machine at rest. */
export function endRun(): void {
  forget();
  recording = false;
}

/** Runs `look` with nothing recorded: for who looks at a run from outside, between its steps. */
export function unrecorded(look: () => void): void {
  const was = recording;
  recording = false;
  try {
    look();
  } finally {
    recording = was;
  }
}

/** Takes what was touched since the last call, or since the run began. */
export function takeFootprint(): Footprint {
  if (count === 0) return NOTHING;
  const touches = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const location = touched[i];
    touches[i] = (location << 2) | (marks[location] & 3);
  }
  forget();
  return new Footprint(touches);
}

/** Drops what was touched since the last call: cheaper than taking what nobody will look at. */
export function forget(): void {
  count = 0;
  if (++step === LAST_STEP) {
    step = 1;
    marks.fill(0);
  }
}

/** Notes one touch, while recording; `how` is `READ`, `ADD` or `WRITE`. */
export function touch(object: number, key: number, how: number): void {
  if (!recording) return;
  const location = locations.find(object, key);
  if (location >= marks.length) marks = doubled(marks);
  const mark = marks[location];
  if (mark >> 2 === step) {
    marks[location] = (step << 2) | strongest(mark & 3, how);
    return;
  }
  marks[location] = (step << 2) | how;
  if (count === touched.length) touched = doubled(touched);
  touched[count++] = location;
}
