/**
 * Where this package lies, so that files it ships are found from any working directory.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "../base/assert.ts";

/**
 * Path of a file of the package, given from its root. The bundle and the sources lie at different
 * depths, so the root is the nearest folder above that has a package.json.
 */
export function packageFile(path: string): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    assert(folder !== dirname(folder), "no package.json above", import.meta.url);
    folder = dirname(folder);
  }
  return join(folder, path);
}

/** The version in package.json. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8"));
  return String(version);
}
