/**
 * `godwit COMMAND ...`: finds the command, runs it and turns what it returns or throws into an exit
 * status: 0 done, 1 the answer is no or a check failed, 2 wrong usage or input that cannot be read.
 */
import { InputError } from "../base/input-error.ts";
import type { CommandTable } from "./command.ts";
import type { Io } from "./io.ts";
import { helpText, parseOptions } from "./options.ts";
import { nearest } from "./suggest.ts";

/** Runs the command of `commands` that `args` name; returns the exit status. */
export async function dispatch(
  commands: CommandTable,
  args: readonly string[],
  io: Io,
): Promise<number> {
  try {
    return await runCommand(commands, args, io);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    io.err.write(`${error.message}\n`);
    return 2;
  }
}

async function runCommand(
  commands: CommandTable,
  args: readonly string[],
  io: Io,
): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) {
    io.err.write(overview(commands));
    return 2;
  }
  const asksHelp = first === "--help" || first === "-h" || first === "help";
  if (asksHelp && rest.length === 0) return show(io, overview(commands));
  const name = asksHelp ? rest[0] : first;
  const entry = Object.hasOwn(commands, name) ? commands[name] : null;
  if (!entry) throw unknownCommand(name, Object.keys(commands));
  const { usage, run } = await entry.load();
  const options = parseOptions(usage, asksHelp ? ["--help"] : rest);
  return options.has("help") ? show(io, helpText(usage)) : run(options, io);
}

function unknownCommand(name: string, known: readonly string[]): InputError {
  const near = nearest(name, known);
  const expected = near ? `"${near}" perhaps` : `one of ${known.join(", ")}`;
  return new InputError("godwit", `the command "${name}"`, `${expected} (see godwit --help)`);
}

function overview(commands: CommandTable): string {
  const width = Math.max(...Object.keys(commands).map(({ length }) => length)) + 2;
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}${summary}\n`,
  );
  return [
    "usage: godwit COMMAND [OPTION...]\n\n",
    "Linux's page migration, on the memory of a real machine.\n\n",
    ...lines,
    "\ngodwit COMMAND --help tells a command's options.\n",
  ].join("");
}

function show(io: Io, text: string): number {
  io.out.write(text);
  return 0;
}
