/**
 * Flags and arguments of a command: declared once, read, checked and printed as help.
 *
 * Over `parseArgs` of node:util. What is wrong is an `InputError` that names the flag, so that
 * main.ts ends with status 2. `--json` and `--help` belong to every command.
 */
import { parseArgs } from "node:util";
import { InputError } from "../base/input-error.ts";
import { nearest } from "./suggest.ts";

/** One flag. A string flag is given as `--name VALUE` or `--name=VALUE`. */
export interface Flag {
  readonly type: "boolean" | "string";
  /** What the help calls the value, such as "N" or "FILE". */
  readonly value?: string;
  readonly help: string;
  /** If given, the value must be one of these. */
  readonly choices?: readonly string[];
  /** May be given more than once. */
  readonly multiple?: true;
}

/** What a command takes. */
export interface Usage {
  /** Such as "look". */
  readonly command: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** As the help prints them, such as "[SNAPSHOT]". */
  readonly positionals: string;
  readonly maxPositionals: number;
  readonly flags: Readonly<Record<string, Flag>>;
  /** More paragraphs for the help. */
  readonly details?: string;
}

const COMMON_FLAGS: Readonly<Record<string, Flag>> = {
  json: { type: "boolean", help: "print one JSON object on standard output, nothing else" },
  help: { type: "boolean", help: "print this" },
};

/** What was given, looked up by a flag's name without the dashes. */
export class Options {
  readonly positionals: readonly string[];
  private readonly usage: Usage;
  private readonly values: ReadonlyMap<string, readonly string[]>;

  constructor(
    usage: Usage,
    positionals: readonly string[],
    values: ReadonlyMap<string, readonly string[]>,
  ) {
    this.usage = usage;
    this.positionals = positionals;
    this.values = values;
  }

  /** Whether a boolean flag was given. */
  has(name: string): boolean {
    return this.values.has(name);
  }

  /** The last value of a string flag; null if it was not given. */
  text(name: string): string | null {
    return this.values.get(name)?.at(-1) ?? null;
  }

  /** All values of a string flag, in order. */
  texts(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  /** A whole number from `least` to `most`; null if the flag was not given. */
  count(name: string, least: number, most: number): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw this.wrong(name, text, `a whole number from ${least} to ${most}`);
  }

  /** The error to throw for a value that a command cannot use. */
  wrong(name: string, found: string, expected: string): InputError {
    return new InputError(`godwit ${this.usage.command} --${name}`, `"${found}"`, expected);
  }
}

/** Reads the arguments behind the command's name. Throws `InputError`. */
export function parseOptions(usage: Usage, args: readonly string[]): Options {
  const flags = { ...usage.flags, ...COMMON_FLAGS };
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { type }]) => [name, { type, multiple: true }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const place = `godwit ${usage.command}`;
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : null;
    if (!flag) throw unknownFlag(place, token.rawName, Object.keys(flags));
    const value = checkedValue(`${place} ${token.rawName}`, flag, token.value);
    const given = values.get(token.name) ?? [];
    if (given.length > 0 && flag.type === "string" && !flag.multiple) {
      throw new InputError(`${place} ${token.rawName}`, "it twice", "it once");
    }
    values.set(token.name, [...given, value]);
  }
  if (positionals.length > usage.maxPositionals) {
    const extra = positionals[usage.maxPositionals];
    const most = usage.maxPositionals === 0 ? "none" : `at most ${usage.maxPositionals}`;
    throw new InputError(place, `the argument "${extra}"`, most);
  }
  return new Options(usage, positionals, values);
}

/** The help of one command, with a full stop at no line's end but the summary's. */
export function helpText(usage: Usage): string {
  const flags = Object.entries({ ...usage.flags, ...COMMON_FLAGS });
  const left = flags.map(([name, flag]) => {
    const value = flag.value ?? flag.choices?.join("|") ?? "VALUE";
    return `  --${name}${flag.type === "string" ? ` ${value}` : ""}`;
  });
  const width = Math.max(...left.map(({ length }) => length)) + 2;
  const lines = flags.map(([, { help }], index) => left[index].padEnd(width) + help);
  const positionals = usage.positionals === "" ? "" : ` ${usage.positionals}`;
  return [
    `usage: godwit ${usage.command}${positionals} [OPTION...]`,
    "",
    `${usage.summary}.`,
    ...(usage.details ? ["", usage.details] : []),
    "",
    ...lines,
    "",
  ].join("\n");
}

function checkedValue(place: string, flag: Flag, value: string | undefined): string {
  if (flag.type === "boolean") {
    if (value !== undefined) throw new InputError(place, `the value "${value}"`, "none");
    return "";
  }
  // A flag without its value takes the next flag for it if it is not stopped.
  if (!value || (value.startsWith("--") && value.length > 2)) {
    throw new InputError(place, "no value", flag.choices?.join(" or ") ?? flag.value ?? "one");
  }
  if (flag.choices && !flag.choices.includes(value)) {
    throw new InputError(place, `"${value}"`, flag.choices.join(" or "));
  }
  return value;
}

function unknownFlag(place: string, found: string, known: readonly string[]): InputError {
  const near = nearest(found.replace(/^-+/, ""), known);
  const list = known.map((name) => `--${name}`).join(", ");
  return new InputError(place, `the option ${found}`, near ? `--${near} perhaps` : list);
}
