/**
 * The options of a compaction, and what they mean for the snapshot at hand.
 */

import { readFile } from "node:fs/promises";
import { freemem } from "node:os";
import { InputError } from "../base/input-error.ts";
import { PROFILES, type Release, releaseFor } from "../base/profile.ts";
import {
  COMPACT_SYSCTL_DEFAULTS,
  type CompactMode,
  type CompactSysctl,
} from "../callers/compaction/control.ts";
import { inputErrorOf } from "../host/input-errors.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import type { CompactOptions } from "../snapshot/compact-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Flag, Options } from "./options.ts";

const LARGEST_ORDER = 10;
const LARGEST_SEED = 0xffffffff;

/** Share of the memory that is free now which contents may take. */
const CONTENTS_SHARE = 0.6;

const SYSCTL_MAX: Readonly<Record<keyof CompactSysctl, number>> = {
  "vm.compact_unevictable_allowed": 1,
  "vm.compaction_proactiveness": 100,
  "vm.extfrag_threshold": 1000,
};

/** Which release of Linux to act as. */
export const KERNEL_FLAG: Flag = {
  type: "string",
  choices: ["auto", ...compactingReleases()],
  help: "the Linux release to act as (default: auto, the nearest to the snapshot's own)",
};

/** Flags that every command with a compaction in it takes. */
export const COMPACT_FLAGS: Readonly<Record<string, Flag>> = {
  contents: {
    type: "string",
    choices: ["auto", "bytes", "tokens"],
    help: "fill pages with real bytes or a token each (default: auto, bytes if they fit)",
  },
  kernel: KERNEL_FLAG,
  mode: {
    type: "string",
    choices: ["async", "sync-light", "sync"],
    help: "how much the migration may wait (default: sync; with --order sync-light)",
  },
  "no-pins": { type: "boolean", help: "leave out the pins that the archive knows of" },
  order: {
    type: "string",
    value: "N",
    help: "stop when a block of this order is free (default: -1, each zone whole)",
  },
  pinned: { type: "string", value: "FILE", help: "frames known to be pinned: u64 each" },
  seed: { type: "string", value: "N", help: "seed of the contents (default: 1)" },
  side: {
    type: "string",
    choices: ["before", "after"],
    help: "which side of a pair to start from (default: before)",
  },
  sysctl: {
    type: "string",
    value: "NAME=VALUE",
    multiple: true,
    help: `one of ${Object.keys(SYSCTL_MAX).join(", ")}`,
  },
  zone: { type: "string", value: "NODE:NAME", help: "only this zone, such as 0:Normal" },
};

/** Reads the options; throws `InputError` for what does not fit the snapshot. */
export async function compactOptions(
  options: Options,
  snapshot: Snapshot,
): Promise<CompactOptions> {
  const order = orderOf(options);
  return {
    contents: contentsOf(options, snapshot),
    seed: options.count("seed", 0, LARGEST_SEED) ?? 1,
    release: releaseOf(options, snapshot),
    mode: (options.text("mode") ?? (order > 0 ? "sync-light" : "sync")) as CompactMode,
    order,
    sysctl: sysctlOf(options),
    zone: zoneOf(options, snapshot),
    pins: await pinsOf(options, snapshot),
  };
}

/** Those that have a compaction to act as. */
function compactingReleases(): string[] {
  return Object.values(PROFILES).flatMap(({ compacts, release }) => (compacts ? [release] : []));
}

/** The release that is asked for, or the snapshot's own. */
export function releaseOf(options: Options, snapshot: Snapshot): Release {
  const wanted = options.text("kernel") ?? "auto";
  return wanted === "auto" ? releaseFor(snapshot.kernel) : (wanted as Release);
}

function orderOf(options: Options): number {
  const text = options.text("order");
  if (text === null || text === "-1") return -1;
  return options.count("order", 0, LARGEST_ORDER) ?? -1;
}

function contentsOf(options: Options, snapshot: Snapshot): "bytes" | "tokens" {
  const wanted = options.text("contents");
  if (wanted === "tokens") return wanted;
  let pages = 0;
  for (const flags of snapshot.flags) if ((flags & (PG.lru | PG.tail)) !== 0) pages++;
  const needed = pages * PAGE_SIZE;
  if (wanted === "bytes" && needed > freemem()) {
    const found = `${gib(needed)} to fill and ${gib(freemem())} free here`;
    throw new InputError("--contents bytes", found, "memory for every page, or --contents tokens");
  }
  return wanted === "bytes" || needed <= freemem() * CONTENTS_SHARE ? "bytes" : "tokens";
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function sysctlOf(options: Options): CompactSysctl {
  const set: Record<string, number> = {};
  for (const text of options.texts("sysctl")) {
    const [, name = "", value = ""] = /^([^=]*)=(\d+)$/.exec(text) ?? [];
    if (!Object.hasOwn(SYSCTL_MAX, name)) {
      const known = Object.keys(SYSCTL_MAX).join(" or ");
      throw options.wrong("sysctl", text, `NAME=VALUE with NAME ${known}`);
    }
    const most = SYSCTL_MAX[name as keyof CompactSysctl];
    if (Number(value) > most) throw options.wrong("sysctl", text, `a value from 0 to ${most}`);
    set[name] = Number(value);
  }
  return { ...COMPACT_SYSCTL_DEFAULTS, ...set };
}

function zoneOf(options: Options, snapshot: Snapshot): CompactOptions["zone"] {
  const text = options.text("zone");
  if (text === null) return null;
  const zones = snapshot.zones.filter(({ present }) => present > 0);
  const found = zones.find(({ node, type }) => `${node}:${type}` === text);
  if (found !== undefined) return { node: found.node, type: found.type };
  const known = zones.map(({ node, type }) => `${node}:${type}`).join(", ");
  throw options.wrong("zone", text, `one of ${known}`);
}

async function pinsOf(options: Options, snapshot: Snapshot): Promise<Int32Array | null> {
  const path = options.text("pinned");
  if (path === null) return options.has("no-pins") ? null : snapshot.pins;
  const bytes = await readFile(path).catch((error: unknown) => {
    throw inputErrorOf(error, path);
  });
  if (bytes.length === 0 || bytes.length % 8 !== 0) {
    throw new InputError(path, `${bytes.length} bytes`, "frame numbers of 8 bytes each");
  }
  return Int32Array.from({ length: bytes.length / 8 }, (_, at) => {
    const pfn = bytes.readBigUInt64LE(at * 8);
    if (pfn < BigInt(snapshot.pageCount)) return Number(pfn);
    throw new InputError(
      `${path}: entry ${at}`,
      `frame ${pfn}`,
      `one below the snapshot's ${snapshot.pageCount}`,
    );
  });
}
