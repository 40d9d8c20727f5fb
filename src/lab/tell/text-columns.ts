/** Text in columns of a given width; a cell may take several lines. */

export interface Cell {
  readonly width: number;
  readonly lines: readonly string[];
}

/** `text` broken at spaces, and within words that are too long; lines behind the first set in. */
export function wrapWords(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else {
      line += line === "" ? word : ` ${word}`;
    }
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = indent + line.slice(width);
    }
  }
  return [...lines, line];
}

/** Lines of a row: as many as its highest cell has. The last cell is not filled up. */
export function joinCells(cells: readonly Cell[], gap: string): string[] {
  const height = Math.max(1, ...cells.map(({ lines }) => lines.length));
  return Array.from({ length: height }, (_, row) =>
    cells
      .map(({ width, lines }) => (lines[row] ?? "").padEnd(width))
      .join(gap)
      .trimEnd(),
  );
}
