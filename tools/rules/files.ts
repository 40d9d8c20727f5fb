/** The project's own text, as the house rules read it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "../build/sources.ts";

export interface TextFile {
  /** From the root of the project, with "/". */
  readonly path: string;
  readonly text: string;
}

const CODE = /\.(ts|tsx|mjs)$/;

/** All code in these folders of the project, sorted; a folder that is not there has none. */
export function readCode(...folders: readonly string[]): TextFile[] {
  return readAll(folders, CODE);
}

/** Code and prose alike. */
export function readTexts(...folders: readonly string[]): TextFile[] {
  return readAll(folders, /\.(ts|tsx|mjs|json|md|html|css|sh)$/);
}

export function isTest(file: string): boolean {
  return file.endsWith(".test.ts");
}

function readAll(folders: readonly string[], pattern: RegExp): TextFile[] {
  return folders
    .flatMap((folder) => filesUnder(folder))
    .filter((file) => pattern.test(file))
    .sort()
    .map((file) => ({ path: file, text: readFileSync(path.join(root, file), "utf8") }));
}

function filesUnder(folder: string): string[] {
  const from = path.join(root, folder);
  if (!existsSync(from)) return [];
  return readdirSync(from, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .map((file) => file.split(path.sep).join("/"));
}
