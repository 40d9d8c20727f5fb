import assert from "node:assert/strict";
import { test } from "node:test";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { BH, type BufferHead } from "../pagecache/buffers/buffer-head.ts";
import { blockDirtyFolio } from "../pagecache/buffers/dirty-buffers.ts";
import { attachBuffers } from "../pagecache/buffers/small-buffers.ts";
import { MemoryDevice } from "../pagecache/device/block-device.ts";
import { MARK } from "../pagecache/folio-index.ts";
import { filemapDirtyFolio } from "../pagecache/mark-dirty.ts";
import { smallFile } from "../pagecache/small-file.ts";
import { runToEnd } from "../sched/run.ts";
import { cachedFolio } from "../vm/small-vm.ts";
import { assertFound, brokenMachines, type Corruption } from "./corruption.ts";
import { checkInvariants } from "./invariants.ts";
import { PAGECACHE_INVARIANTS } from "./invariants-pagecache.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

/** A file with a dirty page of each size and a clean one, and a page with dirty buffers. */
interface Scene {
  readonly machine: Machine;
  readonly file: AddressSpace;
  readonly dirty: Folio;
  readonly clean: Folio;
  readonly buffered: Folio;
  readonly ring: readonly BufferHead[];
}

function newScene(): Scene {
  const machine = smallMachine();
  const { mem, vm } = machine;
  const file = smallFile(vm.cache, new MemoryDevice(mem), 16);
  const dirty = cachedFolio(vm, file, 0, 1);
  const large = cachedFolio(vm, file, 4, 1, 2);
  for (const folio of [dirty, large]) runToEnd(filemapDirtyFolio(mem, file, folio));
  const clean = cachedFolio(vm, file, 8, 1);
  const buffered = cachedFolio(vm, file, 9, 1);
  const ring = attachBuffers(mem, file, buffered);
  runToEnd(blockDirtyFolio(mem, file, buffered));
  return { machine, file, dirty, clean, buffered, ring };
}

const MARKS: readonly Corruption<Scene>[] = [
  {
    what: "a dirty page without a mark",
    says: /a small file: page 0 is dirty without a mark/,
    corrupt: ({ file }) => file.folios.clearMark(0, MARK.dirty),
  },
  {
    what: "a page that was dirtied by its flag alone",
    says: /page 8 is dirty without a mark/,
    corrupt({ machine, clean }) {
      machine.mem.flags[clean] |= PG.dirty;
    },
  },
  {
    what: "a mark of a writeback that is over",
    says: /page 8 and its mark differ in whether it is under writeback/,
    corrupt: ({ file }) => file.folios.setMark(8, MARK.writeback),
  },
  {
    what: "a clean page that is to be written",
    says: /page 8 is to be written and not dirty/,
    corrupt: ({ file }) => file.folios.setMark(8, MARK.towrite),
  },
  {
    what: "a page that is cleaned and still counted",
    says: /node 0: 5 dirty pages of files, counted 6/,
    corrupt({ machine, dirty }) {
      machine.mem.flags[dirty] &= ~PG.dirty;
    },
  },
  {
    what: "a page that its zone does not count",
    says: /6 pages to be written, 5 by zone/,
    corrupt({ machine }) {
      machine.mem.zones[0].writePendingPages--;
    },
  },
];

const RINGS: readonly Corruption<Scene>[] = [
  {
    what: "a buffer that names another page",
    says: /a buffer of its ring names folio \d+/,
    corrupt({ ring, clean }) {
      ring[2].folio = clean;
    },
  },
  {
    what: "a ring from which a buffer is missing",
    says: /a buffer at byte 2048, not 1024/,
    corrupt({ ring }) {
      ring[0].next = ring[2];
    },
  },
  {
    what: "a ring that ends too soon",
    says: /buffers of 3072 bytes/,
    corrupt({ ring }) {
      ring[2].next = ring[0];
    },
  },
  {
    what: "a dirty buffer of a clean page",
    says: /a dirty buffer and a clean folio/,
    corrupt({ machine, buffered, ring }) {
      assert.notEqual(ring[1].state & BH.dirty, 0);
      machine.mem.flags[buffered] &= ~PG.dirty;
    },
  },
  {
    what: "a ring that no page names",
    says: /1 rings, 0 of a folio/,
    corrupt({ machine, buffered }) {
      machine.mem.flags[buffered] &= ~PG.private;
    },
  },
];

test("nothing is wrong with files as they should be, and they come down without a leak", () => {
  const { machine } = newScene();
  for (const { name, check } of PAGECACHE_INVARIANTS) assert.equal(check(machine), null, name);
  checkInvariants(machine);
  teardown(machine);
  const [{ dirtyPages, writebackPages }] = machine.mem.nodes;
  assert.deepEqual([dirtyPages, writebackPages], [0, 0]);
});

for (const broken of brokenMachines(PAGECACHE_INVARIANTS, [MARKS, RINGS])) {
  test(`${broken.rule.name}: it finds ${broken.what}`, () => assertFound(newScene(), broken));
}
