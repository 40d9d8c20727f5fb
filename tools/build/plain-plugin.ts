/** The plain form as an esbuild plugin: a bundle made with it has no generators of the protocol. */
import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";
import { hasPlainForm } from "./sources.ts";

export const plainForm: Plugin = {
  name: "plain-form",
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!hasPlainForm(path)) return undefined;
      const source = await readFile(path, "utf8");
      if (!source.includes("yield")) return undefined;
      const { toPlain } = await import("./plain.ts");
      return { contents: toPlain(source, path), loader: "ts" };
    });
  },
};
