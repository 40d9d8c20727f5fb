/**
 * A run as a story: who stepped, where each then stood, what changed, and what went wrong.
 *
 * Data and nothing else, the same as JSON: `storyText` and `storyTrace` draw it, `tellRun` makes
 * it. Steps count from 1. Whatever is text is meant for people and may change; the fields stay.
 */

/** One run, told. */
export interface Story {
  readonly scenario: string;
  readonly verdict: "failed" | "clean";
  /** What replays it. */
  readonly replay: string;
  /** Who could step: tasks in the order of their making, and the clock if it did. */
  readonly actors: readonly StoryActor[];
  /** The folios that matter, as they were before the first step. */
  readonly atStart: readonly FolioState[];
  readonly steps: readonly StoryStep[];
  /** The last steps are the same ones again and again, and were cut off. */
  readonly loop: StoryLoop | null;
  readonly failure: StoryFailure | null;
  /** How well the schedule fitted that the run was to repeat. */
  readonly replayed: Replayed;
}

export interface StoryActor {
  /** As in the replay string: "a", or "~" for the clock. */
  readonly letter: string;
  readonly name: string;
}

export interface StoryStep {
  readonly number: number;
  readonly letter: string;
  /** Where the task stood: a point, "the start", or where it had slept. */
  readonly from: string;
  /** Where it stands now: a point, "asleep on QUEUE", "the end"; of the clock, the time. */
  readonly to: string;
  /** Who could have gone on instead, and stands where it was interrupted. */
  readonly interrupted: StoryActor | null;
  /** Tasks that slept, and can go on now. */
  readonly woke: readonly string[];
  /** Choices that came out otherwise than by default. */
  readonly choices: readonly string[];
  readonly changes: readonly FolioChange[];
  /** Changes of folios that do not matter here, which are left out. */
  readonly changesLeftOut: number;
}

/** What one step did to one folio. */
export interface FolioChange {
  /** Which of the scenario's machines, from 1. */
  readonly machine: number;
  readonly pfn: number;
  readonly fields: readonly FieldChange[];
}

/** `what` is a column of the memory map, "contents", or an entry of a page table. */
export interface FieldChange {
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

export interface FolioState {
  readonly machine: number;
  readonly pfn: number;
  readonly text: string;
}

/** `length` steps, from step `first` on, that came `times` times. */
export interface StoryLoop {
  readonly first: number;
  readonly length: number;
  readonly times: number;
}

export interface StoryFailure {
  readonly kind: "check" | "invariant" | "contract" | "deadlock" | "livelock" | "error";
  /** The rule that was broken, as the error says it. */
  readonly rule: string;
  /** The step that broke it; null if it was found once all had ended, or before they began. */
  readonly step: number | null;
  readonly found: "in a step" | "at the end" | "before the first step";
  /** The stretch in which somebody else should not have come in; null if none can be named. */
  readonly guilty: GuiltySection | null;
  /** The same as a sentence; why there is none, if there is none. */
  readonly guiltyText: string;
  /** Who never came to an end, and what it waits for. */
  readonly waits: readonly StoryWait[];
}

export interface GuiltySection {
  readonly task: string;
  /** Whether others came in because it was interrupted, or because it slept. */
  readonly how: "interrupted" | "asleep";
  /** Where it stood in the run that is told. */
  readonly stood: string;
  /** The first point at which the others break the rule, if they come in there. */
  readonly from: string;
  /** Where the task comes to behind the last such point; null if it never went on. */
  readonly to: string | null;
  /** What others did in between. */
  readonly meanwhile: readonly Passage[];
}

export interface Passage {
  readonly task: string;
  readonly from: string;
  readonly to: string;
}

export interface StoryWait {
  readonly task: string;
  /** What it sleeps on, or the point where it stands if it does not sleep. */
  readonly at: string;
  readonly asleep: boolean;
  /** Who has what it waits for, where that is known. */
  readonly holder: string | null;
  /** Folio locks that it took and still has. */
  readonly holds: readonly string[];
}

export interface Replayed {
  /** Steps that were taken as the schedule says, of all that it has. */
  readonly followed: number;
  readonly steps: number;
  /** Choices that it names and that never came up. */
  readonly choicesUnmet: readonly string[];
  /** "followed 12 of 15 steps, then went on by itself" */
  readonly text: string;
}
