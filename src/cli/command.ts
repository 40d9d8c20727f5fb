import type { Io } from "./io.ts";
import type { Options, Usage } from "./options.ts";

/** One command: what it takes and what it does. */
export interface Command {
  readonly usage: Usage;
  /** Returns the exit status, 0 or 1; throws `InputError` for input that it cannot use. */
  readonly run: (options: Options, io: Io) => Promise<number>;
}

/** Commands by name. */
export type CommandTable = Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>
>;
