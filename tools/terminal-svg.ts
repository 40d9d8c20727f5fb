/**
 * Terminal output as an SVG picture, for the README: ANSI text on standard input, SVG on standard
 * output.
 *
 *     FORCE_COLOR=3 npm run -s godwit -- compact snapshots/slab-s2.tar.gz |
 *       node --import tsx tools/terminal-svg.ts > docs/images/screen.svg
 *
 * Knows what src/report/colour.ts writes: 24-bit colours, bold, dim and reset. Anything else is
 * refused, so that no escape ends up in the picture as text.
 */
import { text } from "node:stream/consumers";

const CELL = { width: 7.8, height: 17, fontSize: 13 };
const PADDING = 18;
const GROUND = "#14171c";
const INK = "#d5dae2";

interface Pen {
  readonly ink: string;
  readonly ground: string | null;
  readonly weight: "normal" | "bold";
  readonly isDim: boolean;
}

interface Span {
  readonly pen: Pen;
  readonly text: string;
  readonly column: number;
}

const PLAIN: Pen = { ink: INK, ground: null, weight: "normal", isDim: false };

function terminalSvg(output: string): string {
  const lines = output.trimEnd().split("\n").map(spansOf);
  const columns = Math.max(...lines.flat().map((span) => span.column + span.text.length));
  const width = Math.ceil(columns * CELL.width + 2 * PADDING);
  const height = Math.ceil(lines.length * CELL.height + 2 * PADDING);
  const drawn = lines.flatMap((spans, row) => [
    ...spans.map((span) => groundOf(span, row)),
    ...spans.map((span) => inkOf(span, row)),
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" role="img" aria-label="Output of npm start">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${GROUND}"/>`,
    `<g font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" ` +
      `font-size="${CELL.fontSize}">`,
    ...drawn.filter((part) => part !== ""),
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

/** One line's text, cut where the pen changes. */
function spansOf(line: string): Span[] {
  const spans: Span[] = [];
  let pen = PLAIN;
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what this reads
  for (const part of line.split(/(\x1b\[[\d;]*m)/)) {
    if (part.startsWith("\x1b")) {
      pen = penAfter(pen, part.slice(2, -1));
    } else {
      if (part.includes("\x1b")) throw new Error(`an escape that is no colour: ${part}`);
      // Viewers differ in what they do with runs of spaces: each word group has its own place.
      for (const group of pen.ground === null ? part.split(/( {2,})/) : [part]) {
        if (group !== "") pushSpan(spans, { pen, text: group, column });
        column += group.length;
      }
    }
  }
  return spans;
}

/** Neighbours on one ground become one: a map has long runs of equal cells. */
function pushSpan(spans: Span[], span: Span): void {
  const last = spans.at(-1);
  const { ink, ground } = span.pen;
  if (last !== undefined && ground !== null && last.pen.ground === ground && last.pen.ink === ink) {
    spans[spans.length - 1] = { ...last, text: last.text + span.text };
  } else {
    spans.push(span);
  }
}

function penAfter(pen: Pen, code: string): Pen {
  if (code === "" || code === "0") return PLAIN;
  if (code === "1") return { ...pen, weight: "bold" };
  if (code === "2") return { ...pen, isDim: true };
  const colour = /^([34])8;2;(\d+);(\d+);(\d+)$/.exec(code);
  if (!colour) throw new Error(`colour ${code}: only 24-bit ones are known (FORCE_COLOR=3)`);
  const rgb = `#${colour.slice(2).map(hex).join("")}`;
  return colour[1] === "3" ? { ...pen, ink: rgb } : { ...pen, ground: rgb };
}

function hex(level: string): string {
  return Number(level).toString(16).padStart(2, "0");
}

function groundOf({ pen, text: chars, column }: Span, row: number): string {
  if (pen.ground === null) return "";
  const x = (PADDING + column * CELL.width).toFixed(1);
  const y = PADDING + row * CELL.height;
  // A hair wider, or seams show between cells.
  const width = (chars.length * CELL.width + 0.3).toFixed(1);
  return `<rect x="${x}" y="${y}" width="${width}" height="${CELL.height}.3" fill="${pen.ground}"/>`;
}

function inkOf({ pen, text: chars, column }: Span, row: number): string {
  const start = chars.length - chars.trimStart().length;
  const visible = chars.trim();
  if (visible === "") return "";
  const x = (PADDING + (column + start) * CELL.width).toFixed(1);
  const y = PADDING + row * CELL.height + 13;
  const length = (visible.length * CELL.width).toFixed(1);
  const style = `${pen.weight === "bold" ? ' font-weight="bold"' : ""}${pen.isDim ? ' opacity=".6"' : ""}`;
  const escaped = visible.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${x}" y="${y}" textLength="${length}" fill="${pen.ink}"${style}>${escaped}</text>`;
}

process.stdout.write(terminalSvg(await text(process.stdin)));
