/**
 * GFP bits as the kernel prints them: the largest mask that fits by name, then what is left.
 *
 * Linux: `__def_gfpflag_names`, include/trace/events/mmflags.h, 6.1.
 */
import {
  GFP,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_TRANSHUGE,
  GFP_TRANSHUGE_LIGHT,
} from "./gfp.ts";

/** In the order in which they are looked for: a name takes its bits away from those behind it. */
const NAMES: readonly (readonly [number, string])[] = [
  [GFP_TRANSHUGE, "GFP_TRANSHUGE"],
  [GFP_TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"],
  [GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"],
  [GFP_HIGHUSER_MOVABLE & ~GFP.movable, "GFP_HIGHUSER"],
  [GFP_KERNEL | GFP.hardwall, "GFP_USER"],
  [GFP_KERNEL | GFP.account, "GFP_KERNEL_ACCOUNT"],
  [GFP_KERNEL, "GFP_KERNEL"],
  [GFP_KERNEL & ~GFP.fs, "GFP_NOFS"],
  [GFP.high | GFP.atomic | GFP.kswapdReclaim, "GFP_ATOMIC"],
  [GFP_KERNEL & ~GFP.fs & ~GFP.io, "GFP_NOIO"],
  [GFP.kswapdReclaim, "GFP_NOWAIT"],
  [GFP.dma, "GFP_DMA"],
  [GFP.highmem, "__GFP_HIGHMEM"],
  [GFP.dma32, "GFP_DMA32"],
  [GFP.high, "__GFP_HIGH"],
  [GFP.atomic, "__GFP_ATOMIC"],
  [GFP.io, "__GFP_IO"],
  [GFP.fs, "__GFP_FS"],
  [GFP.noWarn, "__GFP_NOWARN"],
  [GFP.retryMayfail, "__GFP_RETRY_MAYFAIL"],
  [GFP.nofail, "__GFP_NOFAIL"],
  [GFP.noRetry, "__GFP_NORETRY"],
  [GFP.comp, "__GFP_COMP"],
  [GFP.zero, "__GFP_ZERO"],
  [GFP.noMemalloc, "__GFP_NOMEMALLOC"],
  [GFP.memalloc, "__GFP_MEMALLOC"],
  [GFP.hardwall, "__GFP_HARDWALL"],
  [GFP.thisNode, "__GFP_THISNODE"],
  [GFP.reclaimable, "__GFP_RECLAIMABLE"],
  [GFP.movable, "__GFP_MOVABLE"],
  [GFP.account, "__GFP_ACCOUNT"],
  [GFP.write, "__GFP_WRITE"],
  [GFP.directReclaim, "__GFP_DIRECT_RECLAIM"],
];

/** `GFP_TRANSHUGE|__GFP_THISNODE`; "none" for no bits. Linux: `show_gfp_flags()`. */
export function gfpText(gfp: number): string {
  let left = gfp;
  const names: string[] = [];
  for (const [bits, name] of NAMES) {
    if ((left & bits) !== bits) continue;
    names.push(name);
    left &= ~bits;
  }
  if (left !== 0) names.push(`0x${left.toString(16)}`);
  return names.length === 0 ? "none" : names.join("|");
}
