/**
 * Sentences about memory that is neither a file's nor anonymous: the kernel's, drivers', secret.
 *
 * Every process has the vdso and, below it, the vvar page. The vdso is read by each process at its
 * start but by ours, of which the records say when.
 */

import { assert } from "../../base/assert.ts";
import { createSecretmem } from "../../fs/secretmem.ts";
import { MIGRATE, PAGE_SIZE } from "../../memory/constants.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import { allocPages, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { remapPfnRange, vmInsertPage } from "../../vm/driver-pages.ts";
import { userPage } from "../../vm/fault.ts";
import { VM } from "../../vm/mm.ts";
import { PTE } from "../../vm/pte.ts";
import { type CallWorld, type Region, vmaOf } from "../call-world.ts";
import { usePages, writeFile } from "../world-files.ts";
import { numbers, type Sentence, sentence, tells } from "./sentence.ts";

/** Pages of a ring, as those that map them have them. */
const RING = { name: "anon_inode:[ring]" };

export const SPECIAL: readonly Sentence[] = [
  tells("^(?:vdso never read|4 pages below the vdso)$"),
  sentence("^memfd_secret (?<count>\\d+) pages written on node(?<node>\\d)$", mapSecret),
  sentence("^mmap\\(IORING_OFF_SQ_RING\\)$", (world) => void mapRing(world, 1)),
  sentence(
    "^perf software clock event, (?<count>\\d+)-page mmap, each read$",
    (world, { count }) => void mapRing(world, Number(count)),
  ),
  // What was asked for is in the description.
  tells("^setsockopt=0$"),
  sentence("^mmap /dev/mem @0x(?<address>[\\da-f]+)$", (world, { address }) => {
    const { vm } = world.machine;
    const { mm, startVpn } = mapDriver(world, world.onlyName, 1, { name: "/dev/mem" });
    remapPfnRange(vm, vmaOf(mm, startVpn), Number.parseInt(address, 16) >>> 12);
  }),
  sentence(
    "^NAME (?<count>\\d+) anon node(?<node>\\d), page (?<page>\\d+) dropped$",
    (world, { name, count, node, page }) => {
      const region = world.map(name, count);
      const pages = Array.from({ length: Number(count) }, (_, at) => at);
      world.touch(
        region,
        Number(node),
        pages.filter((at) => at !== Number(page)),
      );
    },
  ),
  tells("^UFFDIO_REGISTER missing\\|wp = 0$"),
  sentence("^WRITEPROTECT pages (?<list>[\\d,]+) = 0$", (world, { list }) => {
    const { tables } = world.machine.vm;
    const region = world.current;
    for (const page of numbers(list)) {
      const entry = region?.mm.directory.find(region.startVpn + page) ?? -1;
      tables.set(entry, tables.pfn(entry), (tables.bits(entry) & ~PTE.write) | PTE.uffdWp);
    }
  }),
];

/** Tried on descriptions. */
export const SPECIAL_DESCRIBED: readonly Sentence[] = [
  sentence("^vdso text page", (world) => void world.folioAt("VDSO", 0)),
  sentence("^AF_PACKET RX ring mapping \\(vm_insert_page'd kernel pages", (world) => {
    mapRing(world, world.sizes.get(world.onlyName) ?? 1);
  }),
];

/** What every process has of the kernel's: done once, before any sentence. */
export function mapKernelParts(world: CallWorld): void {
  const { vm } = world.machine;
  const text = kernelPage(world, PG.reserved);
  const vdso = {
    name: "[vdso]",
    fault: (pgoff: number): Pfn | null => (pgoff === 0 ? text : null),
  };
  const init = world.processes.get("init");
  if (init !== undefined) {
    const mm = world.memoryOf(init);
    const vma = vm.mapDriver(mm, { ...mm.freeRange(1), pgoff: 0 }, vdso);
    runToEnd(userPage(vm, mm, vma.startVpn, "read"));
  }
  mapDriver(world, "VDSO", 1, vdso);
  const { mm, startVpn } = mapDriver(world, "VVAR", 1, { name: "[vvar]" });
  remapPfnRange(vm, vmaOf(mm, startVpn), text);
  world.current = null;
}

/** A page of a driver's, on node 0. */
function driverPage(world: CallWorld): Pfn {
  const page = kernelPage(world, PG.kernel);
  world.machine.recordHold(page as Folio, 1);
  return page;
}

/** A page that the kernel keeps for itself, on node 0. */
function kernelPage({ machine }: CallWorld, mark: number): Pfn {
  const { mem } = machine;
  const page = allocPages(mem, { ...movableRequest(0), migratetype: MIGRATE.unmovable });
  assert(page !== -1, "no memory for a page of the kernel's");
  mem.flags[page] |= mark;
  return page as Pfn;
}

function mapDriver(
  world: CallWorld,
  name: string,
  pages: number,
  driver: Parameters<CallWorld["machine"]["vm"]["mapDriver"]>[2],
): Region {
  const range = { ...world.freeRange(pages), pgoff: 0 };
  const vma = world.machine.vm.mapDriver(world.self, range, driver, VM.read | VM.write);
  return world.nameRegion(name, { mm: world.self, startVpn: vma.startVpn, pages });
}

/** Maps new pages of the kernel's at the only region of the call, each from the start. */
function mapRing(world: CallWorld, pages: number): void {
  const { mm, startVpn } = mapDriver(world, world.onlyName, pages, RING);
  for (let page = 0; page < pages; page++) {
    const vma = vmaOf(mm, startVpn + page);
    vmInsertPage(world.machine.vm, vma, startVpn + page, driverPage(world));
  }
}

function mapSecret(world: CallWorld, { count, node }: Readonly<Record<string, string>>): void {
  const pages = Number(count);
  const { vm } = world.machine;
  const mapping = createSecretmem(vm.cache, pages * PAGE_SIZE);
  writeFile(vm, mapping, pages, Number(node));
  // Its VMAs are locked, but the record's pages have no PG_mlocked: the mapping keeps them.
  const { mm, startVpn } = world.mapFile(world.onlyName, mapping, pages);
  usePages(vm, mm, startVpn, pages, "write");
}
