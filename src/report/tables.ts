/**
 * Tables of text: columns as wide as their widest cell, numbers to the right.
 *
 * Cells are plain text; colour is laid on afterwards, since escapes have no width.
 */

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** Spaces before it, two if not said. */
  readonly gap?: number;
}

type Rows = readonly (readonly string[] | null)[];

/** Lays colour on a cell that has its final width. `row` is -1 for the titles. */
export type CellPainter = (text: string, row: number, column: number) => string;

const GAP = 2;

/** How many columns, from the left, lines of `width` characters have room for. */
export function columnsThatFit(columns: readonly Column[], rows: Rows, width: number): number {
  const widths = columnWidths(columns, rows);
  let used = 0;
  for (const [column, { gap }] of columns.entries()) {
    used += widths[column] + (column === 0 ? 0 : (gap ?? GAP));
    if (used > width) return column;
  }
  return columns.length;
}

/** Lines without a line end: titles, then rows. `null` makes an empty line. */
export function tableLines(
  columns: readonly Column[],
  rows: Rows,
  paintCell: CellPainter = (text) => text,
): string[] {
  const widths = columnWidths(columns, rows);
  const line = (cells: readonly string[], row: number): string =>
    columns
      .map(({ align, gap }, column) => {
        const cell = cells[column] ?? "";
        const isLast = column === columns.length - 1;
        const wide =
          align === "right" ? cell.padStart(widths[column]) : cell.padEnd(widths[column]);
        const painted = paintCell(align === "left" && isLast ? cell : wide, row, column);
        return column === 0 ? painted : " ".repeat(gap ?? GAP) + painted;
      })
      .join("");
  const titles = columns.map(({ title }) => title);
  return [line(titles, -1), ...rows.map((cells, row) => (cells ? line(cells, row) : ""))];
}

function columnWidths(columns: readonly Column[], rows: Rows): number[] {
  return columns.map(({ title }, column) =>
    Math.max(title.length, ...rows.map((row) => row?.[column]?.length ?? 0)),
  );
}

/** `text` broken at spaces into lines of at most `width`, those behind the first set in. */
export function wrapped(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else {
      line += line === "" ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}
