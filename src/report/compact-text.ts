/**
 * The screen of a compaction: for somebody whose machine gets no huge pages and who cannot see why.
 *
 * Answers first, then the map, then what stayed and what that means, then how surely. It fits 100
 * columns and about 50 lines; colour adds nothing that cannot be read without it.
 */
import { MAX_ORDER } from "../memory/constants.ts";
import type { CompactRun } from "../snapshot/compact-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { STAY_REASONS, type Stayed } from "../snapshot/stay-reasons.ts";
import { bold, type ColourDepth, dim, paint } from "./colour.ts";
import {
  blocksKept,
  type CompactStory,
  OUTCOME_TEXT,
  signed,
  tellCompaction,
  zoneNames,
} from "./compact-story.ts";
import { decidingKinds } from "./deciding-kinds.ts";
import type { TextStyle } from "./look-text.ts";
import { counted, grouped, pagesAsSize } from "./numbers.ts";
import { pairedMapText } from "./paired-map-text.ts";
import { STAY_ADVICE } from "./stay-advice.ts";
import { type Column, tableLines, wrapped } from "./tables.ts";

/** Rows of the table of what stayed that keep a smaller share of the blocks are put together. */
const LEAST_SHARE = 0.005;

const INDENT = "  ";
const GOOD = 0x54b865;
const BAD = 0xff2d2d;

/** The whole screen, with a line end behind each line. */
export function compactText(run: CompactRun, snapshot: Snapshot, style: TextStyle): string {
  const { width, colour } = style;
  const story = tellCompaction(run, snapshot);
  const kinds = { before: decidingKinds(snapshot.kind), after: decidingKinds(run.kindsAfter) };
  const lines = [
    ...alarmLines(story, style),
    headline(run, snapshot, colour),
    "",
    ...hugePageLines(story, colour),
    "",
    ...wrapped(story.moved, width, ""),
    ...wrapped(story.verified, width, ""),
    "",
    ...pairedMapText(kinds, width, colour),
    "",
    ...stayedLines(run, style),
    "",
    ...wrapped(story.meaning.join(" "), width, ""),
    ...remedyLines(run, style),
    "",
    ...orderLines(run, colour),
    ...zoneLines(run),
    "",
    ...sureLines(story, snapshot, style),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function alarmLines({ alarm }: CompactStory, { colour, width }: TextStyle): string[] {
  if (alarm === null) return [];
  const lines = wrapped(alarm, width - 4, "");
  const wide = Math.max(...lines.map(({ length }) => length));
  const rule = "!".repeat(wide + 4);
  const framed = [rule, ...lines.map((line) => `! ${line.padEnd(wide)} !`), rule];
  return [...framed.map((line) => paint(colour, line, 0xffffff, BAD)), ""];
}

function headline(run: CompactRun, snapshot: Snapshot, colour: ColourDepth): string {
  const side = snapshot.side === "after" ? " after the kernel's own compaction" : "";
  const facts = [
    pagesAsSize(run.report.pages),
    counted(run.zones.length, "zone"),
    snapshot.kernel === null ? "kernel not told" : `ran ${snapshot.kernel}`,
  ];
  const { release } = run.machine.mem.profile;
  const what = `${snapshot.name}${side}, compacted as Linux ${release} does`;
  return `${bold(colour, what)}  ${facts.join(" \u00b7 ")}`;
}

function hugePageLines({ hugePages }: CompactStory, colour: ColourDepth): string[] {
  const width = Math.max(...hugePages.map(({ count }) => grouped(count).length));
  const lines = hugePages.map(({ count, gain, words }) => {
    const number = bold(colour, grouped(count).padStart(width + 2));
    if (gain === null) return `${number}  ${words}`;
    return `${number}  ${words}: ${paint(colour, signed(gain), gain < 0 ? BAD : GOOD)}`;
  });
  return [bold(colour, "Huge pages possible (whole free blocks of 2 MiB)"), ...lines];
}

/** What stayed, most blocks first. */
function stayedLines(run: CompactRun, { width, colour }: TextStyle): string[] {
  const { stayed, hugePages } = run.report;
  const kept = blocksKept(stayed);
  const title = `Why ${grouped(kept)} of ${grouped(kept + hugePages.after)} blocks are not free`;
  const rows = foldedRows(stayed, kept * LEAST_SHARE);
  const columns: Column[] = [
    { title: "blocks", align: "right" },
    { title: "pages", align: "right" },
    { title: "size", align: "right" },
    { title: "kept by", align: "left" },
  ];
  const cells = rows.map(({ pages, pageblocks }) => [
    grouped(pageblocks),
    grouped(pages),
    pagesAsSize(pages),
    "",
  ]);
  const [titles, ...lines] = tableLines(columns, cells);
  const left = titles.length - "kept by".length + INDENT.length;
  const table = lines.flatMap((line, row) =>
    wrapped(rows[row].text, Math.max(20, width - left), "").map(
      (part, index) => (index === 0 ? INDENT + line : "").padEnd(left) + part,
    ),
  );
  return [bold(colour, title), dim(colour, INDENT + titles), ...table];
}

interface StayedRow {
  readonly pages: number;
  readonly pageblocks: number;
  readonly text: string;
}

/** A row for each reason, those that keep fewer than `least` blocks in one row at the end. */
function foldedRows(stayed: readonly Stayed[], least: number): StayedRow[] {
  const sorted = [...stayed].sort((a, b) => b.pageblocks - a.pageblocks || b.pages - a.pages);
  const large = sorted.filter(({ pageblocks }) => pageblocks >= least && pageblocks > 0);
  const small = sorted.slice(large.length);
  const rows = large.map(({ reason, pages, pageblocks }) => {
    return { pages, pageblocks, text: STAY_REASONS[reason] };
  });
  if (small.length === 0) return rows;
  const text = `others: ${small.map(({ reason }) => STAY_ADVICE[reason].what).join(", ")}`;
  const pages = small.reduce((sum, row) => sum + row.pages, 0);
  return [...rows, { pages, pageblocks: blocksKept(small), text }];
}

/** What would help with the largest part that can be helped. */
function remedyLines(run: CompactRun, { width, colour }: TextStyle): string[] {
  const helped = run.report.stayed
    .filter(({ reason }) => !STAY_ADVICE[reason].remedy.startsWith("Nothing"))
    .sort((a, b) => b.pageblocks - a.pageblocks);
  if (helped.length === 0 || helped[0].pageblocks === 0) return [];
  const { what, remedy } = STAY_ADVICE[helped[0].reason];
  const lead = `Against ${what}:`;
  const [first, ...rest] = wrapped(`${lead} ${remedy}`, width, "");
  return [bold(colour, lead) + first.slice(lead.length), ...rest];
}

function orderLines({ report }: CompactRun, colour: ColourDepth): string[] {
  const { before, after } = report.free;
  const columns: Column[] = [
    { title: "Free by order", align: "left" },
    ...Array.from({ length: MAX_ORDER }, (_, order): Column => {
      return { title: String(order), align: "right" };
    }),
  ];
  const rows = [
    [`${INDENT}before`, ...before.map(String)],
    [`${INDENT}after`, ...after.map(String)],
  ];
  return tableLines(columns, rows, (text, row) => (row < 0 ? bold(colour, text) : text));
}

/** Zones of one outcome in one line. */
function zoneLines({ zones }: CompactRun): string[] {
  const results = [...new Set(zones.map(({ result }) => result))];
  return results.map((wanted) => {
    const names = zoneNames(
      zones.filter(({ result }) => result === wanted),
      zones,
    );
    return `Zone ${names}: ${OUTCOME_TEXT[wanted]}.`;
  });
}

/** Findings that say "guess" or "missing" in full, the likely ones by their topic. */
function sureLines(
  { limits }: CompactStory,
  { findings }: Snapshot,
  { width, colour }: TextStyle,
): string[] {
  const doubtful = findings.filter(({ certainty }) => /guess|missing/.test(certainty));
  const likely = findings.filter(({ certainty }) => certainty === "likely");
  const topics = [...new Set(likely.map(({ topic }) => topic))];
  const texts = [
    ...limits,
    ...doubtful.map(({ topic, text, certainty }) => `${topic} (${certainty}): ${text}`),
    ...(topics.length === 0 ? [] : [`Inferred, likely but not certain: ${topics.join(", ")}.`]),
  ];
  if (texts.length === 0) return [];
  const lines = texts.flatMap((text) =>
    wrapped(text, width - 2, "").map((line, index) => (index === 0 ? "- " : "  ") + line),
  );
  return [bold(colour, "How surely"), ...lines];
}
