/**
 * A story as text: a column a task, a line a step, what changed beside it.
 *
 *     step  a mover              b process     what changed
 *        1  move-locked                        folio 5: +locked
 *        2  |                    the end       folio 5: contents changed
 *     >  3  fails
 *
 * A cell says where the step brought its task; the bars below it mean that the task stands there
 * in the middle of its work, colons that it sleeps. Pure: the width and the colours are passed in,
 * and nothing that is said needs a colour to be read.
 */
import type {
  FieldChange,
  FolioChange,
  Story,
  StoryActor,
  StoryFailure,
  StoryStep,
  StoryWait,
} from "./story.ts";
import { type Cell, joinCells, wrapWords } from "./text-columns.ts";

/** Lays colour on a text that has its final width. */
export type Paint = (text: string) => string;

/** How a story is drawn. */
export interface StoryStyle {
  /** Characters in a line; below 60 counts as 60, above 200 as 200. */
  readonly width: number;
  readonly title: Paint;
  /** What stands beside the story. */
  readonly faint: Paint;
  /** The step that broke the rule, and the rule. */
  readonly bad: Paint;
}

const plain: Paint = (text) => text;

export const PLAIN_STYLE: StoryStyle = { width: 100, title: plain, faint: plain, bad: plain };

const GAP = "  ";
const STEP_WIDTH = 6;
/** A column that is narrower breaks the names of points. */
const TASK_WIDTH_MIN = 14;
const CHANGES_WIDTH_MIN = 26;
/** Lines of changes that one step may take. */
const CHANGE_LINES_MAX = 8;

/** Columns of the table, in characters. */
interface Layout {
  /** 0: the tasks share one column, and each cell names its task. */
  readonly task: number;
  readonly shared: number;
  readonly changes: number;
}

/** The whole story, with a line end behind each line. */
export function storyText(story: Story, style: StoryStyle = PLAIN_STYLE): string {
  const width = Math.min(200, Math.max(60, style.width));
  const layout = layoutOf(story, width);
  const lines = [
    ...headLines(story, width, style),
    ...startLines(story, width, style),
    "",
    ...tableLines(story, layout, style),
    ...endLines(story, width, style),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function headLines(
  { scenario, failure, replayed }: Story,
  width: number,
  style: StoryStyle,
): string[] {
  const title = wrapWords(scenario, width).map(style.title);
  const fit = replayed.followed < replayed.steps || replayed.choicesUnmet.length > 0;
  const note = fit ? wrapWords(`Replay: ${replayed.text}.`, width) : [];
  if (failure === null) return [...title, ...note, "clean: no rule was broken in this run"];
  return [...title, ...note, ...wrapWords(`failed: ${failure.rule}`, width).map(style.bad)];
}

function startLines({ atStart, steps }: Story, width: number, { faint }: StoryStyle): string[] {
  const many = severalMachines(steps);
  const lines = atStart
    .filter(({ text }) => text !== "free")
    .flatMap(({ machine, pfn, text }) =>
      wrapWords(`${folioName(machine, pfn, many)}: ${text}`, width - 2).map((line) => `  ${line}`),
    );
  return lines.length === 0 ? [] : ["", faint("At the start:"), ...lines.map(faint)];
}

function layoutOf({ actors, steps }: Story, width: number): Layout {
  const room = width - STEP_WIDTH - GAP.length;
  const names = actors.map(({ name }) => name.length + 2);
  const places = steps.map(({ to }) => to.length);
  const wanted = Math.min(28, Math.max(TASK_WIDTH_MIN, ...names, ...places));
  const each = Math.floor((room - CHANGES_WIDTH_MIN) / Math.max(1, actors.length)) - GAP.length;
  const task = Math.min(wanted, each);
  if (task >= TASK_WIDTH_MIN) {
    return { task, shared: 0, changes: room - actors.length * (task + GAP.length) };
  }
  const shared = Math.floor(room / 2) - GAP.length;
  return { task: 0, shared, changes: room - shared - GAP.length };
}

function tableLines(story: Story, layout: Layout, style: StoryStyle): string[] {
  const { actors, steps, failure, loop } = story;
  if (steps.length === 0) return [];
  const many = severalMachines(steps);
  const lines = titleLines(actors, layout).map(style.faint);
  const lifelines = new Map<string, string>();
  for (const step of steps) {
    if (loop !== null && step.number === loop.first) {
      lines.push(style.faint(`${" ".repeat(STEP_WIDTH)}${GAP}-- from here on, again and again --`));
    }
    const isBad = failure?.step === step.number;
    const mark = `${isBad ? ">" : " "}${`${step.number}`.padStart(STEP_WIDTH - 1)}`;
    const cells: Cell[] = [{ width: STEP_WIDTH, lines: [mark] }];
    cells.push(...stepCells(actors, step, layout, lifelines));
    cells.push({ width: layout.changes, lines: changeLines(step, layout.changes, many) });
    for (const line of joinCells(cells, GAP)) lines.push(isBad ? style.bad(line) : line);
    lifelines.set(step.letter, lifeline(step));
  }
  if (loop !== null) {
    const { length, times } = loop;
    const word = length === 1 ? "this step" : `these ${length} steps`;
    lines.push(style.faint(`${" ".repeat(STEP_WIDTH)}${GAP}-- ${word}, ${times} times --`));
  }
  return lines;
}

function titleLines(actors: readonly StoryActor[], layout: Layout): string[] {
  const cells: Cell[] = [{ width: STEP_WIDTH, lines: ["  step"] }];
  if (layout.task === 0)
    cells.push({ width: layout.shared, lines: ["who, and where it then stands"] });
  else {
    for (const { letter, name } of actors) {
      cells.push({ width: layout.task, lines: wrapWords(`${letter} ${name}`, layout.task) });
    }
  }
  cells.push({ width: layout.changes, lines: ["what changed"] });
  return joinCells(cells, GAP);
}

function stepCells(
  actors: readonly StoryActor[],
  step: StoryStep,
  { task, shared }: Layout,
  lifelines: ReadonlyMap<string, string>,
): Cell[] {
  if (task === 0) {
    const name = actors.find(({ letter }) => letter === step.letter)?.name ?? step.letter;
    return [{ width: shared, lines: wrapWords(`${name}: ${step.to}`, shared) }];
  }
  return actors.map(({ letter }) => {
    if (letter === step.letter) return { width: task, lines: wrapWords(step.to, task) };
    const bar = lifelines.get(letter) ?? "";
    return { width: task, lines: [step.interrupted?.letter === letter ? "|  interrupted" : bar] };
  });
}

/** What stands below a task while others step. */
function lifeline({ to }: StoryStep): string {
  if (to === "the end") return "";
  return to.startsWith("asleep on ") ? ":" : "|";
}

function changeLines(step: StoryStep, width: number, many: boolean): string[] {
  const lines = step.choices.flatMap((choice) => wrapWords(`chosen: ${choice}`, width));
  for (const change of step.changes) lines.push(...wrapWords(changeText(change, many), width));
  for (const name of step.woke) lines.push(...wrapWords(`wakes ${name}`, width));
  const tooMany = lines.length - CHANGE_LINES_MAX;
  if (tooMany > 1) lines.splice(CHANGE_LINES_MAX, tooMany, `and ${tooMany} lines more`);
  const { changesLeftOut } = step;
  if (changesLeftOut > 0) {
    const others = lines.length === 0 ? "" : "and ";
    lines.push(`${others}${changesLeftOut} other ${changesLeftOut === 1 ? "folio" : "folios"}`);
  }
  return lines;
}

/** One folio's changes in a line: "folio 5: refcount 1 -> 2, +locked". */
export function changeText({ machine, pfn, fields }: FolioChange, many: boolean): string {
  const subject = pfn < 0 ? "" : `${folioName(machine, pfn, many)}: `;
  const isNew = fields.some(({ what, to }) => what === "state" && to === "in use");
  // A new folio has one reference: that need not be said.
  const told = fields.filter(({ what, to }) => !(isNew && what === "refcount" && to === "1"));
  return subject + told.map(fieldText).join(", ");
}

function fieldText({ what, from, to }: FieldChange): string {
  if (what === "flags") return flagsText(from, to);
  if (what === "contents") return from === "" ? `contents ${to}` : to;
  if (what === "state") return to === "free" ? "freed" : "allocated";
  return `${what} ${from} -> ${to}`;
}

function flagsText(from: string, to: string): string {
  const [had, has] = [from, to].map((names) => names.split(" ").filter((name) => name !== ""));
  const set = has.filter((name) => !had.includes(name)).map((name) => `+${name}`);
  const cleared = had.filter((name) => !has.includes(name)).map((name) => `-${name}`);
  return [...set, ...cleared].join(" ");
}

function folioName(machine: number, pfn: number, many: boolean): string {
  return many ? `machine ${machine}, folio ${pfn}` : `folio ${pfn}`;
}

function severalMachines(steps: readonly StoryStep[]): boolean {
  return steps.some(({ changes }) => changes.some(({ machine }) => machine > 1));
}

function endLines({ failure, replay }: Story, width: number, style: StoryStyle): string[] {
  const lines = failure === null ? [] : ["", ...failureLines(failure, width, style)];
  return [...lines, "", `replay with: --replay '${replay}'`];
}

function failureLines(failure: StoryFailure, width: number, style: StoryStyle): string[] {
  const { rule, step, found, guiltyText, waits } = failure;
  const where = step === null ? `Found ${found}` : `Step ${step} broke the rule`;
  return [
    ...wrapWords(`${where}: ${rule}`, width).map(style.bad),
    ...waits.flatMap((wait) => wrapWords(`- ${waitText(wait)}`, width, "  ")),
    ...wrapWords(`Guilty section: ${guiltyText}.`, width).map(style.title),
  ];
}

function waitText({ task, at, asleep, holder, holds }: StoryWait): string {
  const waits = asleep ? `${task} sleeps on ${at}` : `${task} goes on, and stands at ${at}`;
  const whose = holder === null ? "" : `, whose lock ${holder} has`;
  const has = holds.length === 0 ? "" : `; has the lock of ${holds.join(", ")}`;
  return waits + whose + has;
}
