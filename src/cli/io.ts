/**
 * What a command may touch of the process: its two streams and how they can be drawn on.
 *
 * Standard output carries the answer and nothing else; all else goes to standard error.
 */
import type { ColourDepth } from "../report/colour.ts";

/** One output stream. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Characters in a line; 80 where it is no terminal. */
  readonly columns: number;
  readonly colour: ColourDepth;
}

export interface Io {
  readonly out: Output;
  readonly err: Output;
}

/** The environment's say on colour. */
export interface ColourEnv {
  readonly NO_COLOR?: string | undefined;
  readonly FORCE_COLOR?: string | undefined;
  readonly TERM?: string | undefined;
  readonly COLORTERM?: string | undefined;
}

const DEFAULT_COLUMNS = 80;

export function processIo(): Io {
  return { out: outputOf(process.stdout), err: outputOf(process.stderr) };
}

function outputOf(stream: NodeJS.WriteStream): Output {
  const isTerminal = stream.isTTY === true;
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal,
    columns: (isTerminal && stream.columns) || DEFAULT_COLUMNS,
    colour: colourDepth(process.env, isTerminal),
  };
}

/**
 * NO_COLOR (no-color.org) and FORCE_COLOR win over what the terminal says of itself.
 *
 * FORCE_COLOR: 0 none, 3 all, anything else the 256 that nearly every terminal has.
 */
export function colourDepth(env: ColourEnv, isTerminal: boolean): ColourDepth {
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) {
    if (forced === "0" || forced === "false") return "none";
    return forced === "3" ? "all" : "256";
  }
  if ((env.NO_COLOR ?? "") !== "" || !isTerminal || env.TERM === "dumb") return "none";
  return /^(truecolor|24bit)$/i.test(env.COLORTERM ?? "") ? "all" : "256";
}
