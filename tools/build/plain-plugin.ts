/**
 * The plain form as an esbuild plugin: a bundle made with it has no generators of the protocol,
 * and numeric constants are written out where they are used.
 */
import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";
import { inlineConstants } from "./constants.ts";
import { toPlain } from "./plain.ts";
import { hasPlainForm } from "./sources.ts";

export const plainForm: Plugin = {
  name: "plain-form",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!hasPlainForm(path)) return undefined;
      const source = await readFile(path, "utf8");
      return { contents: inlineConstants(toPlain(source, path), path), loader: "ts" };
    });
  },
};
