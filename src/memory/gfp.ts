/**
 * How hard an allocation may try, and from where: Linux's gfp mask, bit for bit.
 *
 * A request made by `gfpRequest` says all that `__alloc_pages()` is told. The masks' names are what
 * trace events print, longest first, as `show_gfp_flags()` does.
 * Linux: include/linux/gfp_types.h, 6.1; a zone for high memory is not there on x86-64.
 */
import { MIGRATE, type Migratetype, type ZoneType } from "./constants.ts";
import type { AllocRequest } from "./page-alloc.ts";

/** Linux: __GFP_*. */
export const GFP = {
  dma: 0x1,
  highmem: 0x2,
  dma32: 0x4,
  movable: 0x8,
  reclaimable: 0x10,
  /** Part of the reserves may be used. */
  high: 0x20,
  /** Input and output may be started to make room. */
  io: 0x40,
  /** Filesystems may be called to make room. */
  fs: 0x80,
  zero: 0x100,
  atomic: 0x200,
  /** The caller may sleep: for reclaim, for compaction. */
  directReclaim: 0x400,
  /** kswapd is to be woken. */
  kswapdReclaim: 0x800,
  write: 0x1000,
  /** A failure is expected and is not told. */
  noWarn: 0x2000,
  /** Tries again as long as there is progress, and fails before the OOM killer is asked. */
  retryMayfail: 0x4000,
  nofail: 0x8000,
  /** One light attempt at compaction and reclaim, no more. */
  noRetry: 0x10000,
  memalloc: 0x20000,
  /** More than one page is a compound. */
  comp: 0x40000,
  /** The reserves must not be used, whoever asks. */
  noMemalloc: 0x80000,
  hardwall: 0x100000,
  /** Only the node that is asked for. */
  thisNode: 0x200000,
  account: 0x400000,
} as const;

/** May wait for reclaim, and has kswapd woken. Linux: __GFP_RECLAIM. */
export const GFP_RECLAIM = 0xc00;
/** Linux: GFP_KERNEL. */
export const GFP_KERNEL = 0xcc0;
/** For a process's pages that may be moved. Linux: GFP_HIGHUSER_MOVABLE. */
export const GFP_HIGHUSER_MOVABLE = 0x100cca;
/** A huge page if one is there. Linux: GFP_TRANSHUGE_LIGHT. */
export const GFP_TRANSHUGE_LIGHT = 0x1c20ca;
/** A huge page, and the caller waits for compaction. Linux: GFP_TRANSHUGE. */
export const GFP_TRANSHUGE = 0x1c24ca;

/** A request as `__alloc_pages()` gets it. */
export interface GfpRequest extends AllocRequest {
  /** GFP bits. */
  readonly gfp: number;
}

/** 2^order pages from `node` outwards, or only from those of `nodes` if given (the nodemask). */
export function gfpRequest(
  gfp: number,
  order: number,
  node: number,
  nodes?: readonly number[],
): GfpRequest {
  return {
    gfp,
    order,
    node,
    migratetype: gfpMigratetype(gfp),
    highestZone: gfpZone(gfp),
    onlyNode: (gfp & GFP.thisNode) !== 0,
    nodes,
  };
}

/** Linux: `gfp_migratetype()`. */
function gfpMigratetype(gfp: number): Migratetype {
  if ((gfp & GFP.movable) !== 0) return MIGRATE.movable;
  return (gfp & GFP.reclaimable) !== 0 ? MIGRATE.reclaimable : MIGRATE.unmovable;
}

/** The highest zone that will do. Linux: `gfp_zone()`. */
function gfpZone(gfp: number): ZoneType {
  if ((gfp & GFP.dma) !== 0) return "DMA";
  if ((gfp & GFP.dma32) !== 0) return "DMA32";
  const anywhere = GFP.highmem | GFP.movable;
  return (gfp & anywhere) === anywhere ? "Movable" : "Normal";
}
