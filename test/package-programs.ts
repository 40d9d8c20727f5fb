/**
 * The programs of a guide: each block of TypeScript, and the text under it that it must print.
 */

export interface Program {
  /** The heading above it. */
  readonly heading: string;
  readonly source: string;
  readonly printed: string;
}

/** Throws an `Error` for a program under which no text stands. */
export function programsOf(markdown: string): Program[] {
  const programs: Program[] = [];
  let heading = "";
  let source: string | null = null;
  for (const [, title, language, body] of markdown.matchAll(BLOCK)) {
    if (source !== null) {
      if (language !== "text") throw new Error(`no text under the program of "${heading}"`);
      programs.push({ heading, source, printed: body });
      source = null;
    } else if (title !== undefined) {
      heading = title;
    } else if (language === "ts") {
      source = body;
    }
  }
  if (source !== null) throw new Error(`no text under the program of "${heading}"`);
  return programs;
}

/** A heading, or a block with its language and its text. */
const BLOCK = /^#+ (.*)$|^```(\w*)\n([\s\S]*?)^```$/gm;
