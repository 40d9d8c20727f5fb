/**
 * `import … from "godwit/snapshot"`: a real machine's memory from its /proc files, and the machine
 * that they show.
 *
 * Files come in as chunks of bytes, so this runs in a browser too; `godwit/node` opens folders and
 * archives. The machines are those of `godwit`. Re-exports and nothing else.
 *
 * @module godwit/snapshot
 */
export { InputError } from "../base/input-error.ts";
export type { SnapshotFile } from "../snapshot/columns.ts";
export {
  type CompactOptions,
  type CompactReport,
  type CompactRun,
  type CompactStep,
  compactDefaults,
  compactSnapshot,
} from "../snapshot/compact-snapshot.ts";
export { locateFile } from "../snapshot/file-names.ts";
export { type BuildOptions, machineFromSnapshot } from "../snapshot/machine-from-snapshot.ts";
export { kindsOfMachine } from "../snapshot/machine-kinds.ts";
export { PAGE_KIND, PAGE_KINDS, type PageKind, type PageKindLook } from "../snapshot/page-kinds.ts";
export {
  type ReadOptions,
  readSnapshotPair,
  type SnapshotEntry,
} from "../snapshot/read-snapshot.ts";
export {
  type Finding,
  freeHugePages,
  freePages,
  NO_BLOCK,
  type Side,
  type Snapshot,
  type SnapshotPair,
  type SnapshotSummary,
  type SnapshotZone,
} from "../snapshot/snapshot.ts";
export { countStayed, STAY_REASONS, type Stayed } from "../snapshot/stay-reasons.ts";
