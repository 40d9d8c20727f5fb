/**
 * What processes do all day: first touches, lookups in the page cache, and moves between nodes.
 */
import { Random } from "../src/base/random.ts";
import { MPOL_MF, movePages } from "../src/callers/move-pages/move-pages.ts";
import { userInput, userOutput } from "../src/callers/move-pages/user-array.ts";
import type { Machine } from "../src/machine/machine.ts";
import { DirectFrames, POISON_BYTES_DEFAULT } from "../src/memory/byte-frames.ts";
import { folioPut } from "../src/memory/folio-ref.ts";
import { type Frames, TokenFrames } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import type { AddressSpace } from "../src/pagecache/address-space.ts";
import { filemapGetFolio } from "../src/pagecache/page-cache.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import { runToEnd } from "../src/sched/run.ts";
import { userPage } from "../src/vm/fault.ts";
import type { Vma } from "../src/vm/mm.ts";
import { credentialsOf, Process } from "../src/vm/process.ts";
import { unmapVma } from "../src/vm/zap.ts";
import { cacheFolio, freeMachine } from "./machines.ts";
import { type Benchmark, time } from "./measure.ts";
import { PairRecorder } from "./pair-recorder.ts";

const FAULT_PAGES = 1 << 18;
const LOOKUP_PAGES = 1 << 18;
const LOOKUPS = 1 << 21;
const NODES_PAGES = 1 << 17;
/** Pages of one call of move_pages. */
const CALL_PAGES = 512;

/** A process writes to each page of its memory for the first time; contents are tokens. */
export function fault(): Benchmark {
  const machine = freeMachine(2 * FAULT_PAGES, new TokenFrames(2 * FAULT_PAGES));
  return {
    name: "fault",
    unit: "ns/page",
    rounds: 9,
    round: () => {
      const vma = mapMemory(machine, FAULT_PAGES);
      const nanoseconds = time(() => runToEnd(touchAll(machine, vma)));
      runToEnd(unmapVma(machine.vm, vma));
      return nanoseconds / FAULT_PAGES;
    },
  };
}

/** A lookup with its reference, given back at once, at random offsets; held against a `Map`. */
export function lookup(): Benchmark {
  const { mem, vm } = freeMachine(2 * LOOKUP_PAGES, new TokenFrames(2 * LOOKUP_PAGES));
  const file = vm.cache.createMapping("file", {});
  const map = new Map<number, number>();
  for (let offset = 0; offset < LOOKUP_PAGES; offset++) {
    map.set(offset, cacheFolio(mem, file, offset));
  }
  function* lookUpAll(mapping: AddressSpace): Blocking<void> {
    const random = new Random(1);
    for (let call = 0; call < LOOKUPS; call++) {
      const folio = yield* filemapGetFolio(mem, mapping, random.below(LOOKUP_PAGES));
      if (folio !== null) folioPut(mem, folio);
    }
  }
  const askMap = (): void => {
    const random = new Random(1);
    let sum = 0;
    for (let call = 0; call < LOOKUPS; call++) sum += map.get(random.below(LOOKUP_PAGES)) ?? 0;
    if (sum === 0) throw new Error("the map holds nothing");
  };
  return {
    name: "lookup",
    unit: "ns",
    rounds: 9,
    round: () => time(() => runToEnd(lookUpAll(file))) / LOOKUPS,
    against: { name: "map-get", round: () => time(askMap) / LOOKUPS },
  };
}

/** Calls of 512 pages with real bytes, to the other node and back. */
export function movePagesCalls(): Benchmark {
  const frames = new DirectFrames(NODES_PAGES, POISON_BYTES_DEFAULT / 4);
  for (let pfn = 0; pfn < NODES_PAGES; pfn++) frames.fill(pfn as Pfn, pfn);
  const pairs = new PairRecorder(frames, NODES_PAGES);
  moveAll(pairs);
  return {
    name: "move-pages",
    unit: "ns/page",
    rounds: 9,
    round: () => moveAll(frames),
    against: { name: "memcpy-pairs", round: () => pairs.copyAgain() },
  };
}

/** Nanoseconds a page: a quarter of the machine goes to the other node. */
function moveAll(frames: Frames): number {
  const machine = freeMachine(NODES_PAGES, frames, 2);
  const vma = mapMemory(machine, NODES_PAGES / 4);
  runToEnd(touchAll(machine, vma));
  const { mm, startVpn, endVpn } = vma;
  const status = new Int32Array(CALL_PAGES);
  const nodes = new Array<number>(CALL_PAGES).fill(1);
  const caller = new Process(1, "process", mm, credentialsOf(0));
  function* callAll(): Blocking<void> {
    for (let first = startVpn; first < endVpn; first += CALL_PAGES) {
      const pages = Array.from({ length: CALL_PAGES }, (_, at) => first + at);
      const { value } = yield* movePages(machine.vm, machine.processes, {
        caller,
        pid: 0,
        nrPages: CALL_PAGES,
        pages: userInput(pages),
        nodes: userInput(nodes),
        flags: MPOL_MF.move,
        status: userOutput(status),
      });
      if (value !== 0) throw new Error(`move_pages left ${value} pages`);
    }
  }
  return time(() => runToEnd(callAll())) / (endVpn - startVpn);
}

function mapMemory({ vm }: Machine, pages: number): Vma {
  const mm = vm.createMm("process");
  return vm.mapAnonymous(mm, mm.freeRange(pages));
}

function* touchAll({ vm }: Machine, { mm, startVpn, endVpn }: Vma): Blocking<void> {
  for (let vpn = startVpn; vpn < endVpn; vpn++) yield* userPage(vm, mm, vpn, "write");
}
