/**
 * Tables of text: columns as wide as their widest cell, numbers to the right.
 *
 * Cells are plain text; colour is laid on afterwards, since escapes have no width.
 */

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** Lays colour on a cell that has its final width. `row` is -1 for the titles. */
export type CellPainter = (text: string, row: number, column: number) => string;

const GAP = "  ";

/** Lines without a line end: titles, then rows. `null` makes an empty line. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[] | null)[],
  paintCell: CellPainter = (text) => text,
): string[] {
  const widths = columns.map(({ title }, column) =>
    Math.max(title.length, ...rows.map((row) => row?.[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[], row: number): string =>
    columns
      .map(({ align }, column) => {
        const cell = cells[column] ?? "";
        const isLast = column === columns.length - 1;
        const wide =
          align === "right" ? cell.padStart(widths[column]) : cell.padEnd(widths[column]);
        return paintCell(align === "left" && isLast ? cell : wide, row, column);
      })
      .join(GAP);
  const titles = columns.map(({ title }) => title);
  return [line(titles, -1), ...rows.map((cells, row) => (cells ? line(cells, row) : ""))];
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
