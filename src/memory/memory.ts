/**
 * The physical memory of one machine: the map, its nodes and zones, its pageblocks, its contents.
 *
 * A new memory is all holes: `addFreeRange`, the allocator and the snapshot's builder give frames
 * their first state. Functions take a `Memory` first; there is no global one.
 */
import { assert } from "../base/assert.ts";
import { ALL_FEATURES, type Features } from "../base/features.ts";
import { type KernelProfile, PROFILES } from "../base/profile.ts";
import { Events } from "../events/events.ts";
import { type AllocHooks, noAllocHooks, type TaskAlloc } from "./alloc-hooks.ts";
import type { Capture } from "./capture.ts";
import { PAGEBLOCK_NR_PAGES } from "./constants.ts";
import type { Frames } from "./frames.ts";
import { LruBatches } from "./lru-batch.ts";
import { type Folio, Memmap, type Pfn } from "./memmap.ts";
import { LRU_NAMES, Node } from "./node.ts";
import type { PageExt } from "./page-ext.ts";
import { PG } from "./page-flags.ts";
import type { Shrinker } from "./shrinker.ts";
import { listsPerZone, Zone, type ZoneShape } from "./zone.ts";

/** Lists of passing use: what callers hold while they move pages. */
const CALLER_LISTS = 512;

/** In `zoneOfBlock`: no zone, or more than one. */
const NO_ZONE = 255;
const SHARED_BLOCK = 254;

export interface MemoryShape {
  readonly pageCount: number;
  /** By processor: the node that it is on. Its length is the number of processors. */
  readonly nodeOfCpu: readonly number[];
  /** Distances from each node to each; its length is the number of nodes. */
  readonly distances: readonly (readonly number[])[];
  /** Ascending by node and by zone type. */
  readonly zones: readonly ZoneShape[];
}

export class Memory extends Memmap {
  readonly cpuCount: number;
  readonly nodeOfCpu: readonly number[];
  /** The processor that runs the present call: its per-CPU lists and batches are used. */
  cpu = 0;
  readonly nodes: readonly Node[];
  readonly zones: readonly Zone[];
  /** By node: all, nearest first. Linux: `node_zonelists[ZONELIST_FALLBACK]`. */
  readonly nearestNodes: readonly (readonly Node[])[];
  /** By node: itself. Linux: `node_zonelists[ZONELIST_NOFALLBACK]`. */
  readonly onlyNode: readonly (readonly Node[])[];
  readonly frames: Frames;
  readonly events: Events = new Events();
  readonly lruBatches: readonly LruBatches[];
  /** The release of Linux that this machine acts as. */
  profile: KernelProfile = PROFILES["6.1"];
  /** What its kernel was built with; never changed once the machine has owners of pages. */
  features: Features = ALL_FEATURES;
  /** Cgroups, allocators and last users of pages, on machines that keep them. */
  pageExt: PageExt | null = null;
  /** Empty what the rooms above keep for one processor; called with every drain of all batches. */
  readonly cpuDrains: ((cpu: number) => void)[] = [];
  /** By the id in a KSM mapping word: the merged folio. A move redirects it. */
  readonly ksmFolios: Folio[] = [];
  /** Takes hugetlb folios that nobody holds any more; null while there are none. */
  freeHugetlb: ((folio: Folio) => void) | null = null;
  /** Who makes room when the free lists are short. */
  readonly allocHooks: AllocHooks = noAllocHooks();
  /** What reclaim may ask for memory beside the LRU. Linux: `shrinker_list`. */
  readonly shrinkers: Shrinker[] = [];
  /** What the running task's compaction waits for, or null. Linux: `current->capture_control`. */
  capture: Capture | null = null;
  /** The running task makes room for an allocation: it must not wait for more. PF_MEMALLOC. */
  memalloc = false;
  /** By the policy of the running task; null for its processor's node. `current->mempolicy`. */
  taskAlloc: TaskAlloc | null = null;
  /** While above zero no folio rests in a batch. Linux: `lru_disable_count`. */
  lruDisableCount = 0;
  /** Mapping words of files whose pages reclaim must leave alone. Linux: `AS_UNEVICTABLE`. */
  readonly unevictableMappings: Set<number> = new Set();

  /** By pageblock: the migratetype in bits 0-2, the compaction skip bit in bit 3. */
  readonly pageblockFlags: Uint8Array;
  private readonly zoneOfBlock: Uint8Array;

  constructor(shape: MemoryShape, frames: Frames) {
    super(shape.pageCount, listCount(shape));
    this.cpuCount = shape.nodeOfCpu.length;
    this.nodeOfCpu = shape.nodeOfCpu;
    this.frames = frames;
    const blockCount = Math.ceil(shape.pageCount / PAGEBLOCK_NR_PAGES);
    this.pageblockFlags = new Uint8Array(blockCount);
    this.zoneOfBlock = new Uint8Array(blockCount).fill(NO_ZONE);
    this.nodes = shape.distances.map((distances, id) => new Node(this, id, distances));
    this.nearestNodes = this.nodes.map(({ distances }) =>
      this.nodes.toSorted((a, b) => distances[a.id] - distances[b.id]),
    );
    this.onlyNode = this.nodes.map((node) => [node]);
    this.zones = shape.zones.map(
      (zone, number) => new Zone(this, zone, number, this.nodes[zone.node]),
    );
    this.lruBatches = Array.from({ length: this.cpuCount }, () => new LruBatches());
    assert(this.zones.length < SHARED_BLOCK, "a memory has fewer than 254 zones");
    this.flags.fill(PG.hole);
    for (const zone of this.zones) this.placeZone(zone);
  }

  /** Whether its kernel knows compaction, and is built with it. */
  get compacts(): boolean {
    return this.features.compaction && this.profile.compacts;
  }

  /** The zone of a frame that lies in one. Linux: `page_zone()`. */
  zoneOf(pfn: Pfn): Zone {
    const number = this.zoneOfBlock[pfn >>> 9];
    if (number < SHARED_BLOCK) return this.zones[number];
    const zone = this.zones.find(({ startPfn, endPfn }) => startPfn <= pfn && pfn < endPfn);
    assert(zone !== undefined, "a frame outside every zone:", pfn);
    return zone;
  }

  /** Linux: `page_pgdat()`. */
  nodeOf(pfn: Pfn): Node {
    return this.zoneOf(pfn).pgdat;
  }

  private placeZone(zone: Zone): void {
    assert(zone.endPfn <= this.pageCount, "a zone beyond the memory map:", zone.type, zone.endPfn);
    this.nodes[zone.node].zones.push(zone);
    const last = (zone.endPfn - 1) >>> 9;
    for (let block = zone.startPfn >>> 9; block <= last; block++) {
      this.zoneOfBlock[block] = this.zoneOfBlock[block] === NO_ZONE ? zone.number : SHARED_BLOCK;
    }
  }
}

function listCount({ nodeOfCpu, distances, zones }: MemoryShape): number {
  return (
    zones.length * listsPerZone(nodeOfCpu.length) +
    distances.length * (LRU_NAMES.length + 1) +
    CALLER_LISTS
  );
}
