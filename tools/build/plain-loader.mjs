/**
 * Runs TypeScript in the build for run-to-end: `node --import ./tools/build/plain-loader.mjs ...`.
 *
 * tsx comes first, so that the hooks may themselves be TypeScript. GODWIT_BUILD tells tests, and
 * nothing in src/, which build they run on: "plain" here, else unset.
 */
import { register } from "node:module";
import "tsx";

process.env.GODWIT_BUILD = "plain";
register("./plain-hooks.ts", import.meta.url);
