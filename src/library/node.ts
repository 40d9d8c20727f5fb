/**
 * `import … from "godwit/node"`: what the library does with the files of this computer.
 *
 * Needs Node; all other entries run in a browser as they are. Re-exports and nothing else.
 *
 * @module godwit/node
 */
export { type OpenOptions, openSnapshot } from "../host/open-snapshot.ts";
