/**
 * `godwit new owner NAME`, `godwit new driver NAME`: three files to begin with.
 *
 * They are the package's examples under another name: an owner or a driver that works, a scenario
 * that tries its moves under every schedule, and a mistake that the scenario finds.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { InputError } from "../base/input-error.ts";
import { packageFile } from "../host/package-root.ts";
import type { Command } from "./command.ts";
import type { Io } from "./io.ts";
import type { Options } from "./options.ts";

/** What each kind begins as: an example, and the name of its class. */
const KINDS = {
  owner: { example: "private-state", className: "ServedFile" },
  driver: { example: "movable-driver", className: "Driver" },
} as const;

const ENDINGS = [".ts", ".scenario.ts", ".mutant.ts"];

export const newFiles: Command = {
  usage: {
    command: "new",
    summary: "Writes a working owner or driver with a scenario and a mistake that it finds",
    positionals: "owner|driver NAME",
    maxPositionals: 2,
    flags: {
      into: { type: "string", value: "FOLDER", help: "where the files go (default: here)" },
    },
    details:
      "NAME is words with dashes, as in my-driver. Writes NAME.ts, NAME.scenario.ts and\n" +
      "NAME.mutant.ts, and changes no file that is there. Then: godwit explore FOLDER.",
  },
  run: runNew,
};

async function runNew(options: Options, io: Io): Promise<number> {
  const [kind = "", name = ""] = options.positionals;
  if (kind !== "owner" && kind !== "driver") {
    throw new InputError("godwit new", kind === "" ? "no kind" : `"${kind}"`, "owner or driver");
  }
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    const expected = `words with dashes, as in my-${kind}`;
    throw new InputError(`godwit new ${kind}`, name === "" ? "no NAME" : `"${name}"`, expected);
  }
  const folder = options.text("into") ?? ".";
  const files = ENDINGS.map((ending) => path.join(folder, name + ending));
  const there = files.find((file) => existsSync(file));
  if (there !== undefined) throw new InputError(there, "a file", "none: nothing is overwritten");
  await mkdir(folder, { recursive: true });
  for (const [at, file] of files.entries()) {
    await writeFile(file, await textOf(kind, name, ENDINGS[at]), { flag: "wx" });
  }
  if (options.has("json")) io.out.write(`${JSON.stringify({ kind, name, files })}\n`);
  else io.out.write(`${files.join("\n")}\n\nTry it: godwit explore ${path.normalize(folder)}\n`);
  return 0;
}

/** The example's text, with its names. */
async function textOf(kind: keyof typeof KINDS, name: string, ending: string): Promise<string> {
  const { example, className } = KINDS[kind];
  const text = await readFile(packageFile(`examples/${example}${ending}`), "utf8");
  return text
    .replaceAll(`./${example}.ts`, `./${name}.ts`)
    .replaceAll(`"${example}.ts"`, `"${name}.ts"`)
    .replaceAll('name: "driver"', `name: "${name}"`)
    .replaceAll(new RegExp(`\\b${className}\\b`, "g"), classNameOf(name));
}

function classNameOf(name: string): string {
  return name.replaceAll(/(^|-)([a-z0-9])/g, (_, _dash, first: string) => first.toUpperCase());
}
