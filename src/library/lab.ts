/**
 * `import … from "godwit/lab"`: scenarios, and every schedule of them.
 *
 * Scenarios are written with the calls of `godwit/steps`, whose machines are the lab's. Re-exports
 * and nothing else.
 *
 * @module godwit/lab
 */
export * from "../lab/index.ts";
