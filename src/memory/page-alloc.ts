/**
 * Allocation: a block of 2^order pages from the nearest zone that can spare it.
 *
 * Zones are tried from the wanted node outwards and from high to low; first with the low
 * watermark, then with the minimum. A new page has one reference, no flags, nothing in `private`:
 * that is what the destination of a migration must look like.
 *
 * `allocPages` is atomic and has the lists alone. `allocPagesGfp` goes on to the slow path, where
 * room is made (`alloc-hooks.ts`): its caller may sleep there, holds no spin lock, and looks again
 * at whatever may have changed meanwhile.
 * Linux: `__alloc_pages()`, `get_page_from_freelist()`, `post_alloc_hook()`.
 */
import { assert } from "../base/assert.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import type { Blocking } from "../sched/blocking.ts";
import { MAX_ORDER, MIGRATE, type Migratetype, ZONE_TYPES, type ZoneType } from "./constants.ts";
import { prepCompound } from "./folio.ts";
import { GFP, type GfpRequest } from "./gfp.ts";
import type { Folio, Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import type { Node } from "./node.ts";
import { pcpAllowedOrder, takeFromBuddy, takeFromPcp } from "./pcp.ts";
import { ALLOC, zoneWatermarkOk } from "./watermark.ts";
import type { Zone } from "./zone.ts";

/** What is wanted. Linux: the order, the gfp mask and the preferred node of `__alloc_pages()`. */
export interface AllocRequest {
  readonly order: number;
  readonly migratetype: Migratetype;
  /** The node to begin with. */
  readonly node: number;
  /** The highest zone that will do; Movable needs a movable request. */
  readonly highestZone: ZoneType;
  /** Only `node` will do. Linux: __GFP_THISNODE. */
  readonly onlyNode?: boolean;
  /** By id, the nodes that will do; all if absent. Linux: the nodemask. */
  readonly nodes?: readonly number[] | undefined;
}

/** How much a zone must keep back. Linux: ALLOC_WMARK_MIN and so on. */
export type Watermark = "watermarkMin" | "watermarkLow" | "watermarkHigh";

/** In place of the first page: there is none. */
const NO_PAGE = -1 as Pfn;

/** A request for one movable page, as a fault on anonymous memory makes it. */
export function movableRequest(node: number): AllocRequest {
  return { order: 0, migratetype: MIGRATE.movable, node, highestZone: "Movable" };
}

/** Returns a folio with one reference, compound if order is 1 or more, or null. */
export function folioAlloc(mem: Memory, request: AllocRequest): Folio | null {
  const pfn = allocPages(mem, request);
  if (pfn === -1) return null;
  return request.order > 0 ? prepCompound(mem, pfn, request.order) : (pfn as Folio);
}

/** As `folioAlloc`, by way of the slow path where the lists do not serve the request. */
export function* folioAllocGfp(mem: Memory, request: GfpRequest): Blocking<Folio | null> {
  const pfn = yield* allocPagesGfp(mem, request);
  if (pfn === -1) return null;
  return request.order > 0 ? prepCompound(mem, pfn, request.order) : (pfn as Folio);
}

/** Returns the first of 2^order pages, the first with one reference; -1 if none can be had. */
export function allocPages(mem: Memory, request: AllocRequest): Pfn {
  const { shouldFail } = mem.allocHooks;
  if (shouldFail?.(request.order) === true) return NO_PAGE;
  const flags = allocFlags(request);
  const pfn = getPageFromFreelist(mem, request, "watermarkLow", flags);
  return pfn === -1 ? getPageFromFreelist(mem, request, "watermarkMin", flags) : pfn;
}

/** As `allocPages`, by way of the slow path. Linux: `__alloc_pages()`. */
function* allocPagesGfp(mem: Memory, request: GfpRequest): Blocking<Pfn> {
  const { slowPath, shouldFail } = mem.allocHooks;
  if (slowPath === null) return allocPages(mem, request);
  const mayFail = shouldFail !== null && (request.gfp & GFP.nofail) === 0;
  if (mayFail && shouldFail(request.order)) return NO_PAGE;
  const pfn = getPageFromFreelist(mem, request, "watermarkLow", allocFlags(request));
  return pfn === -1 ? yield* slowPath(request) : pfn;
}

/** What the lists have above one watermark; `flags` are ALLOC bits. -1 if nothing. */
export function getPageFromFreelist(
  mem: Memory,
  request: AllocRequest,
  mark: Watermark,
  flags: number,
): Pfn {
  const { order, migratetype } = request;
  assert(order >= 0 && order < MAX_ORDER, "no block has order", order);
  const highest = ZONE_TYPES.indexOf(request.highestZone);
  const { nodes } = request;
  for (const node of nodesFrom(mem, request)) {
    if (nodes !== undefined && !nodes.includes(node.id)) continue;
    for (let at = node.zones.length - 1; at >= 0; at--) {
      const zone = node.zones[at];
      if (ZONE_TYPES.indexOf(zone.type) > highest) continue;
      const wanted = zone[mark] + zone.watermarkBoost;
      if (!zoneWatermarkOk(mem, zone, order, wanted, highest, flags)) continue;
      const pfn = takePages(mem, zone, order, migratetype);
      if (pfn !== -1) return pfn;
    }
  }
  return -1 as Pfn;
}

/** The zones that may give, in order. Linux: `for_each_zone_zonelist_nodemask()`. */
export function zonesFor(mem: Memory, request: AllocRequest): Zone[] {
  const highest = ZONE_TYPES.indexOf(request.highestZone);
  const nodes = nodesFrom(mem, request).filter(({ id }) => request.nodes?.includes(id) ?? true);
  return nodes.flatMap(({ zones }) =>
    zones.filter(({ type }) => ZONE_TYPES.indexOf(type) <= highest).reverse(),
  );
}

/** What the kind of request allows. Linux: `gfp_to_alloc_flags_cma()`. */
export function allocFlags({ migratetype }: AllocRequest): number {
  return migratetype === MIGRATE.movable ? ALLOC.cma : 0;
}

/** Takes a block from one zone with no thought for its watermarks. Linux: `rmqueue()`. */
function takePages(mem: Memory, zone: Zone, order: number, migratetype: number): Pfn {
  const pfn = pcpAllowedOrder(order)
    ? takeFromPcp(mem, zone, order, migratetype)
    : takeFromBuddy(mem, zone, order, migratetype);
  if (pfn !== -1) {
    prepNewPage(mem, pfn);
    mem.events.count(VM_EVENT.pgalloc, 1 << order);
  }
  return pfn;
}

/** The page has an owner from now on. Linux: `post_alloc_hook()`. */
export function prepNewPage(mem: Memory, pfn: Pfn): void {
  assert(mem.refcount[pfn] === 0, "allocation of a page in use:", pfn);
  assert(mem.flags[pfn] === 0, "allocation of a page with flags:", pfn, mem.flags[pfn]);
  mem.private[pfn] = 0;
  mem.refcount[pfn] = 1;
}

/** The nodes that may give, nearest first. Linux: the zonelist of __GFP_THISNODE, or the other. */
function nodesFrom(mem: Memory, { node, onlyNode }: AllocRequest): readonly Node[] {
  return onlyNode === true ? mem.onlyNode[node] : mem.nearestNodes[node];
}
