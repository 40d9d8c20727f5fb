/**
 * A recorded compaction: what was set up, the machine before, and what the kernel made of it.
 *
 * The columns are those of the records' snapshots: one entry a frame, little-endian. What the
 * record does not hold (an outcome that was withheld) is null.
 */
import { InputError } from "../base/input-error.ts";
import { MIGRATE } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import { NO_SECTION } from "../memory/pageblock.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { type KernelEvent, parseTrace } from "./kernel-trace.ts";

export interface CompactionRecord {
  readonly id: string;
  /** How the compaction was started. */
  readonly trigger: string;
  /** sysctls that the setup sets, by name. */
  readonly sysctls: ReadonlyMap<string, number>;
  readonly before: RecordedMachine;
  /** The kernel's events, or null. */
  readonly trace: readonly KernelEvent[] | null;
  /** Frames of the owner's pages afterwards, 0 where none is; or null. */
  readonly ownerAfter: Int32Array | null;
  readonly vmstatDelta: Readonly<Record<string, number>> | null;
  /** Where the trigger wants huge pages: how many it got; null where that was withheld. */
  readonly hugePagesObtained: number | null;
}

/** A snapshot with what only the live kernel could tell. */
export interface RecordedMachine {
  readonly snapshot: Snapshot;
  readonly refcounts: Int16Array;
  /** As `Memory.pageblockFlags`. */
  readonly pageblockFlags: Uint8Array;
}

/** The files of a record, by name. */
export interface RecordFiles {
  /** record.json. */
  readonly json: unknown;
  /** trace.txt, unpacked; null if there is none. */
  readonly trace: string | null;
  /** The snapshot in before/. */
  readonly snapshot: Snapshot;
  /** Columns beside it, by path inside the archive: `before/refcount_i16`. */
  readonly columns: ReadonlyMap<string, Uint8Array>;
}

/** Name of the process and region whose pages a record follows. */
export const OWNER = "owner";

const SYSCTL = /^(vm\.\w+)=(\d+)$/;
/** `thp_obtained_of_64`, `nr_hugepages_obtained_of_300`. */
const OBTAINED = /_obtained_of_\d+$/;
const WITHHELD = "withheld";

/** Throws `InputError`, naming `place`, where a file is missing or of the wrong size. */
export function readCompactionRecord(place: string, files: RecordFiles): CompactionRecord {
  const json = asObject(place, files.json);
  const setup = Array.isArray(json["setup"]) ? json["setup"].map(String) : [];
  const delta = json["vmstat_delta"];
  const isWithheld = json["outcome"] === WITHHELD;
  const after = files.columns.get("after/owner_pagemap");
  return {
    id: String(json["id"]),
    trigger: String(json["trigger"] ?? ""),
    sysctls: new Map(setup.flatMap(sysctlOf)),
    before: readMachine(place, files),
    trace: files.trace === null || isWithheld ? null : parseTrace(files.trace),
    ownerAfter: after === undefined || isWithheld ? null : pagemapFrames(after),
    vmstatDelta: isCounts(delta) ? delta : null,
    hugePagesObtained: obtainedOf(json),
  };
}

function readMachine(place: string, { snapshot, columns }: RecordFiles): RecordedMachine {
  const { pageCount } = snapshot;
  const orders = column(place, columns, "before/buddy_order", pageCount);
  const refcounts = column(place, columns, "before/refcount_i16", pageCount * 2);
  const blocks = column(place, columns, "before/pageblock_flags", Math.ceil(pageCount / 512));
  const owner = columns.get("before/owner_pagemap");
  const regions = owner === undefined ? [] : [region(owner)];
  return {
    snapshot: { ...snapshot, ...withOrders(snapshot, orders), pagemaps: regions },
    refcounts: int16(refcounts),
    pageblockFlags: Uint8Array.from(blocks, blockFlags),
  };
}

function region(pagemap: Uint8Array): Snapshot["pagemaps"][number] {
  return { name: OWNER, baseVpn: 0, pfns: pagemapFrames(pagemap) };
}

/** The recorded orders in the place of what a snapshot's flags alone can tell. */
function withOrders(
  snapshot: Snapshot,
  orders: Uint8Array,
): { flags: Int32Array; order: Uint8Array } {
  const flags = snapshot.flags.slice();
  const order = snapshot.order.slice();
  for (let pfn = 0; pfn < orders.length; pfn++) {
    if (orders[pfn] !== 0xff) {
      flags[pfn] = PG.buddy;
      order[pfn] = orders[pfn];
    } else if ((flags[pfn] & PG.buddy) !== 0) {
      flags[pfn] = 0;
      order[pfn] = 0;
    }
  }
  return { flags, order };
}

/** The recorded kernel has no CMA: what is 4 there is isolation, 5 here. */
function blockFlags(recorded: number): number {
  if (recorded === 0xff) return NO_SECTION;
  const type = recorded & 0x7;
  return (recorded & 0x8) | (type === MIGRATE.cma ? MIGRATE.isolate : type);
}

/** Frames of raw /proc/PID/pagemap entries: bit 63 says present, bits 0-54 the frame. */
function pagemapFrames(bytes: Uint8Array): Int32Array {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.byteLength >>> 3 }, (_, at) => {
    const isPresent = words.getUint32(at * 8 + 4, true) >>> 31 === 1;
    return isPresent ? words.getUint32(at * 8, true) : 0;
  });
}

function int16(bytes: Uint8Array): Int16Array {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.byteLength >>> 1 }, (_, at) =>
    words.getInt16(at * 2, true),
  );
}

function column(
  place: string,
  columns: ReadonlyMap<string, Uint8Array>,
  name: string,
  length: number,
): Uint8Array {
  const bytes = columns.get(name);
  if (bytes === undefined) throw new InputError(place, `no ${name}`, "one in the record's archive");
  if (bytes.length !== length) {
    throw new InputError(`${place}: ${name}`, `${bytes.length} bytes`, `${length}, as kpageflags`);
  }
  return bytes;
}

function sysctlOf(line: string): [string, number][] {
  const match = SYSCTL.exec(line);
  return match === null ? [] : [[match[1], Number(match[2])]];
}

function obtainedOf(json: Record<string, unknown>): number | null {
  const found = Object.entries(json).find(([name]) => OBTAINED.test(name));
  return typeof found?.[1] === "number" ? found[1] : null;
}

function asObject(place: string, json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null || !("id" in json)) {
    throw new InputError(place, "no object with an id", "a record");
  }
  return json as Record<string, unknown>;
}

function isCounts(value: unknown): value is Record<string, number> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
