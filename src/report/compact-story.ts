/**
 * What a compaction's numbers mean, in plain words: said once here, for the screen and the page.
 *
 * Sentences carry no markup and no line breaks. Nothing here computes what the engine did; it only
 * puts into words what `CompactRun` holds.
 */
import type { ZoneCompaction } from "../callers/compaction/compact-zone.ts";
import type { CompactResult } from "../callers/compaction/control.ts";
import { REFUSAL_TEXT, type RefusalName } from "../events/refusals.ts";
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import type { CompactReport, CompactRun } from "../snapshot/compact-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Stayed } from "../snapshot/stay-reasons.ts";
import { counted, grouped, pagesAsSize } from "./numbers.ts";
import { STAY_ADVICE, type StayPile } from "./stay-advice.ts";

/** One line of the answer that everybody came for. */
export interface HugePageCount {
  readonly count: number;
  /** Against the first line; null there. */
  readonly gain: number | null;
  readonly words: string;
}

export interface CompactStory {
  /** The answer in one line. */
  readonly headline: string;
  /** Said first and loudest: contents were lost. Null if none were. */
  readonly alarm: string | null;
  readonly hugePages: readonly HugePageCount[];
  /** What was moved, how fast, what refused. */
  readonly moved: string;
  /** What was compared afterwards. */
  readonly verified: string;
  /** What it means for the one who wants huge pages that `blocksKept` blocks are not free. */
  readonly meaning: readonly string[];
  /** What limits how far these numbers can be trusted, findings about the snapshot apart. */
  readonly limits: readonly string[];
}

/** The refusals that stood when the run ended, by what refused. */
export interface StandingRefusal {
  readonly name: RefusalName;
  readonly text: string;
  readonly folios: number;
}

/** How each zone can end, as what was done to it. Linux: `enum compact_result`. */
export const OUTCOME_TEXT: Readonly<Record<CompactResult, string>> = {
  complete: "scanned whole, until the scanners met",
  partial_skipped: "scanned from where the last run stopped, until the scanners met",
  success: "stopped at a free block of the order that was asked for",
  deferred: "left alone: compaction has failed there too often of late",
  skipped: "left alone: too few free pages to work with, or memory is short and not fragmented",
  contended: "given up early: no room was left for what was to move",
  continue: "not finished",
  no_suitable_page: "scanned in part: no block of the order that was asked for came free",
  not_suitable_zone: "left alone: memory is short there, not fragmented",
};

export function tellCompaction(run: CompactRun, snapshot: Snapshot): CompactStory {
  const { report } = run;
  return {
    headline: headlineOf(report),
    alarm: alarmOf(report),
    hugePages: hugePageCounts(report),
    moved: movedSentence(run),
    verified: verifiedSentence(report),
    meaning: meaningOf(run),
    limits: limitsOf(run, snapshot),
  };
}

/** Most folios first. */
export function standingRefusals({ machine }: CompactRun): StandingRefusal[] {
  const folios = new Map<RefusalName, number>();
  for (const { name } of machine.mem.events.refusals.standing.values()) {
    folios.set(name, (folios.get(name) ?? 0) + 1);
  }
  return [...folios]
    .map(([name, count]) => ({ name, text: REFUSAL_TEXT[name], folios: count }))
    .sort((a, b) => b.folios - a.folios);
}

/** The names of some of all zones, with their nodes where there are several. */
export function zoneNames(some: readonly ZoneCompaction[], all: readonly ZoneCompaction[]): string {
  const hasNodes = new Set(all.map(({ zone }) => zone.node)).size > 1;
  return some
    .map(({ zone }) => (hasNodes ? `${zone.type} of node ${zone.node}` : zone.type))
    .join(", ");
}

/** Pageblocks that are not free, whatever keeps them. */
export function blocksKept(stayed: readonly Stayed[]): number {
  return stayed.reduce((sum, { pageblocks }) => sum + pageblocks, 0);
}

/** 0.5996 -> "0.60 s"; less than a tenth in milliseconds. */
function secondsText(seconds: number): string {
  if (seconds < 0.1) return `${(seconds * 1000).toFixed(1)} ms`;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

/** 571 -> "+571". */
export function signed(difference: number): string {
  return difference < 0 ? `-${grouped(-difference)}` : `+${grouped(difference)}`;
}

function alarmOf({ verified }: CompactReport): string | null {
  if (verified.mismatched === 0) return null;
  const wrong = counted(verified.mismatched, "page");
  return (
    `WRONG CONTENTS: ${wrong} of ${grouped(verified.pages)} did not keep what was in them. ` +
    "This is a defect of Godwit; trust nothing below."
  );
}

function headlineOf({ hugePages: { before, after } }: CompactReport): string {
  const gain = after - before;
  const more = gain < 0 ? "fewer" : "more";
  const change = gain === 0 ? "as many as" : `${grouped(Math.abs(gain))} ${more} than`;
  return `${counted(after, "huge page")} possible, ${change} before`;
}

function hugePageCounts({ hugePages }: CompactReport): HugePageCount[] {
  const { before, after, kernel } = hugePages;
  const lines: HugePageCount[] = [
    { count: before, gain: null, words: "before" },
    { count: after, gain: after - before, words: "after this compaction" },
  ];
  if (kernel !== null) {
    const words = "after the real kernel's own compaction of the same memory";
    lines.push({ count: kernel, gain: kernel - before, words });
  }
  return lines;
}

function movedSentence(run: CompactRun): string {
  const { moved, failed, seconds, nanosecondsPerPage, contents } = run.report;
  if (moved === 0) return `No page was moved, in ${secondsText(seconds)}. ${refusedSentence(run)}`;
  const speed = `${secondsText(seconds)}, ${(nanosecondsPerPage / 1000).toFixed(2)} us a page`;
  const size = pagesAsSize(moved);
  const what =
    contents === "bytes"
      ? `${counted(moved, "page")} (${size} of real bytes) moved in ${speed}`
      : `${counted(moved, "page")} moved in ${speed}, one token for the bytes of each (${size})`;
  return failed === 0 ? `${what}; none refused to the end.` : `${what}. ${refusedSentence(run)}`;
}

function refusedSentence(run: CompactRun): string {
  const { failed } = run.report;
  if (failed === 0) return "None refused.";
  const refusals = standingRefusals(run);
  const reasons = refusals.map(({ text, folios }) =>
    refusals.length === 1 ? text : `${grouped(folios)}: ${text}`,
  );
  return `${counted(failed, "folio")} refused to the end (${reasons.join("; ")}).`;
}

function verifiedSentence({ contents, verified }: CompactReport): string {
  const { pages, mismatched } = verified;
  const all = `All ${counted(pages, "page")} of processes and files (${pagesAsSize(pages)})`;
  const how = contents === "bytes" ? "byte for byte" : "by their tokens";
  return `${all} were then compared ${how}: ${grouped(mismatched)} wrong.`;
}

function meaningOf({ report, zones }: CompactRun): string[] {
  const { stayed } = report;
  const givenUp = zones.filter(({ result }) => result === "contended");
  const fixed = pileOf(stayed, "fixed");
  const held = pileOf(stayed, "held");
  const settled = pileOf(stayed, "settled");
  const sentences = [
    { blocks: fixed.blocks, text: `No compaction can free ${grouped(fixed.blocks)} of them.` },
    {
      blocks: held.blocks,
      text: `${grouped(held.blocks)} could be freed but for ${namesOf(held)}.`,
    },
  ];
  if (fixed.blocks > 0) sentences[0].text += ` ${scatterSentence(fixed.stayed[0])}`;
  sentences.sort((a, b) => b.blocks - a.blocks);
  const { blocks } = settled;
  const text =
    givenUp.length === 0
      ? `${grouped(blocks)} ${blocks === 1 ? "is" : "are"} simply in use: ${namesOf(settled)}.`
      : `Zone ${zoneNames(givenUp, zones)} was given up before the scanners met; ` +
        `${grouped(blocks)} hold pages that could move, or have moved.`;
  return [...sentences, { blocks, text }]
    .filter((sentence) => sentence.blocks > 0)
    .map((sentence) => sentence.text);
}

interface Pile {
  readonly blocks: number;
  /** Most blocks first; those that keep none left out. */
  readonly stayed: readonly Stayed[];
}

function pileOf(all: readonly Stayed[], pile: StayPile): Pile {
  const stayed = all
    .filter(({ reason, pageblocks }) => pageblocks > 0 && STAY_ADVICE[reason].pile === pile)
    .sort((a, b) => b.pageblocks - a.pageblocks);
  return { blocks: blocksKept(stayed), stayed };
}

function namesOf({ stayed }: Pile): string {
  const names = stayed.map(({ reason }) => STAY_ADVICE[reason].what);
  const last = names.pop() ?? "";
  return names.length === 0 ? last : `${names.join(", ")} and ${last}`;
}

/** What keeps most, and what its scattering costs where a few pages keep many blocks. */
function scatterSentence({ reason, pages, pageblocks }: Stayed): string {
  const needed = Math.ceil(pages / PAGEBLOCK_NR_PAGES);
  const what = capitalized(STAY_ADVICE[reason].what);
  const kept = `${what} (${pagesAsSize(pages)}) keep ${grouped(pageblocks)}`;
  if (pageblocks < 2 * needed) return `${kept}.`;
  return `${kept}, though ${counted(needed, "block")} would hold them: they are scattered.`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function limitsOf({ report, machine }: CompactRun, { kernel }: Snapshot): string[] {
  const { hugePages, stayed } = report;
  const { release, compactsLargeFolios } = machine.mem.profile;
  const limits: string[] = [];
  const ran = /\d+\.\d+(\.\d+)?/.exec(kernel ?? "")?.[0];
  if (ran !== undefined && ran !== release && !ran.startsWith(`${release}.`)) {
    const newer = compactsLargeFolios ? "" : " Newer kernels move large folios too.";
    limits.push(`The rules are Linux ${release}'s; the machine ran ${ran}.${newer}`);
  }
  if (hugePages.kernel !== null) {
    limits.push("The kernel's count also holds what the machine did between its two snapshots.");
    if (hugePages.kernel - hugePages.before < (hugePages.after - hugePages.before) / 2) {
      limits.push(
        "The kernel may have given a zone up early, at a large folio for which it found no room.",
      );
    }
  }
  if (!stayed.some(({ reason }) => reason === "pinned")) {
    limits.push("Pinned pages do not show in a snapshot; where there are some, less is gained.");
  }
  return limits;
}
