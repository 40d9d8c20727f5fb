import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import { readSnapshotPair, type SnapshotEntry } from "./read-snapshot.ts";
import { freeHugePages, freePages, type Side, type SnapshotPair } from "./snapshot.ts";
import {
  countByOrder,
  ENTRY,
  entriesOf,
  filesOf,
  freeBlocksOf,
  type Marks,
  type SyntheticMachine,
} from "./synthetic.ts";

const PAGES = 8 * 512;

/** Eight pageblocks from frame 512 on: some free, some in use, a folio and a hole. */
function machine(): SyntheticMachine {
  const entries = new Uint32Array(PAGES).fill(ENTRY.anonymous);
  entries.fill(0, 0, 512);
  entries.fill(ENTRY.free, 1024, 2048);
  entries.fill(ENTRY.free, 2048 + 16, 2048 + 16 + 48);
  entries.fill(ENTRY.slab, 2560, 3072);
  entries.fill(ENTRY.anonymousTail, 3072, 3584);
  entries[3072] = ENTRY.anonymousHead;
  const types = new Uint8Array(PAGES / 512).fill(MIGRATE.movable);
  types[5] = MIGRATE.unmovable;
  return { entries, startPfn: 512, types };
}

type Files = Map<string, Uint8Array>;

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function* joined(...sources: AsyncIterable<SnapshotEntry>[]): AsyncGenerator<SnapshotEntry> {
  for (const source of sources) yield* source;
}

function read(entries: AsyncIterable<SnapshotEntry>, side?: Side): Promise<SnapshotPair> {
  return readSnapshotPair(entries, { name: "pair", ...(side && { side }) });
}

/** The message of the error with which reading these files ends. */
async function refusal(change: (files: Files) => void, side?: Side): Promise<string> {
  const files = filesOf(machine(), "every page");
  change(files);
  const error = await read(entriesOf(files, "x/before/"), side).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Error && error.name === "InputError", String(error));
  return error.message;
}

test("a snapshot by itself is read in whatever order its files come", async () => {
  const files = filesOf(machine(), "every page");
  const backwards = new Map([...files].reverse());
  for (const order of [files, backwards]) {
    // 4093: chunks that end inside entries and inside words.
    const { snapshot, other } = await read(entriesOf(order, "", 4093));
    assert.equal(other, null);
    assert.equal(snapshot.side, "before");
    assert.equal(snapshot.pageCount, PAGES);
    assert.deepEqual(snapshot.freeBlocks, [countByOrder(freeBlocksOf(machine()))]);
    assert.deepEqual(snapshot.freeBlocks, snapshot.buddyinfo);
    assert.equal(freePages(snapshot.freeBlocks[0]), 1024 + 48);
    assert.equal(freeHugePages(snapshot.freeBlocks), 2);
    assert.equal(snapshot.flags[1024], PG.buddy);
    assert.equal(snapshot.order[1024], 10);
    assert.equal(snapshot.kind[3073], PAGE_KIND.anonymousHuge);
    assert.equal(snapshot.order[3072], 9);
    assert.equal(snapshot.kind[0], PAGE_KIND.hole);
    assert.deepEqual([...snapshot.blockType], [255, 1, 1, 1, 1, 0, 1, 1]);
  }
});

test("both kinds of kernel give the same blocks", async () => {
  for (const marks of ["every page", "heads only"] satisfies Marks[]) {
    const busy = machine();
    // Enough blocks that the marks can be told.
    for (let pfn = 512; pfn < 1024; pfn += 4) busy.entries.fill(ENTRY.free, pfn, pfn + 2);
    const { snapshot } = await read(entriesOf(filesOf(busy, marks), ""));
    const found = snapshot.findings.find(({ topic }) => topic === "free blocks");
    assert.match(found?.text ?? "", marks === "heads only" ? /only the first page/ : /every page/);
    for (const { pfn, order } of freeBlocksOf(busy)) {
      assert.equal(snapshot.flags[pfn], PG.buddy, `${marks} ${pfn}`);
      assert.equal(snapshot.order[pfn], order, `${marks} ${pfn}`);
    }
    const free = busy.entries.filter((entry) => entry === ENTRY.free).length;
    assert.equal(snapshot.kind.filter((kind) => kind === PAGE_KIND.free).length, free);
  }
});

test("of a pair the side that is asked for is kept whole, of the other its free blocks", async () => {
  const after = machine();
  after.entries.fill(ENTRY.free, 512, 1024);
  const pair = (): AsyncIterable<SnapshotEntry> =>
    joined(
      entriesOf(filesOf(after, "every page"), "x/after/"),
      entriesOf(filesOf(machine(), "every page"), "x/before/"),
    );
  for (const side of ["before", "after"] satisfies Side[]) {
    const { snapshot, other } = await read(pair(), side);
    assert.equal(snapshot.side, side);
    assert.equal(other?.side, side === "before" ? "after" : "before");
    const [own, others] = side === "before" ? [machine(), after] : [after, machine()];
    assert.deepEqual(snapshot.freeBlocks, [countByOrder(freeBlocksOf(own))]);
    assert.deepEqual(other?.freeBlocks, [countByOrder(freeBlocksOf(others))]);
    assert.equal(other?.nrFree, freePages(countByOrder(freeBlocksOf(others))));
  }
});

test("pins and pagemaps of the run come with the side that they are of", async () => {
  const words = (...pfns: number[]): Uint8Array =>
    new Uint8Array(BigUint64Array.from(pfns.map(BigInt)).buffer);
  const run = new Map([
    ["run.pair.json", utf8('{"regions":[{"name":"r","baseVpn":77,"pages":3,"file":"pagemap.r"}]}')],
    ["pins.pfn.u64", words(900, 600, 700)],
    ["pagemap.r.before.u64", words(5, 0, 6)],
    ["pagemap.r.after.u64", words(7, 0, 8)],
  ]);
  const files = filesOf(machine(), "every page");
  const { snapshot } = await read(joined(entriesOf(run, "x/"), entriesOf(files, "x/before/")));
  assert.deepEqual([...(snapshot.pins ?? [])], [600, 700, 900]);
  assert.deepEqual(snapshot.pagemaps, [{ name: "r", baseVpn: 77, pfns: Int32Array.of(5, 0, 6) }]);
});

test("what is missing is said, what is there is not", async () => {
  const files = filesOf(machine(), "every page");
  files.delete("buddyinfo");
  const { snapshot } = await read(entriesOf(files, ""));
  const missing = snapshot.findings.filter(({ topic }) => topic === "missing files");
  assert.deepEqual(
    missing.map(({ text }) => text.split(" ")[0]),
    ["kpagecount", "kpagecgroup", "buddyinfo", "iomem"],
  );
  assert.equal(snapshot.buddyinfo, null);
  assert.equal(snapshot.cgroup, null);
  assert.deepEqual(snapshot.mapcount, new Int32Array(PAGES));
});

test("counts of pageblocks of another size are not used", async () => {
  const files = filesOf(machine(), "every page");
  const text = new TextDecoder().decode(files.get("pagetypeinfo"));
  files.set("pagetypeinfo", utf8(text.replace("order: 9", "order: 13")));
  const { snapshot } = await read(entriesOf(files, ""));
  assert.equal(snapshot.pagetypeinfo, null);
  const texts = snapshot.findings.filter(({ topic }) => topic === "pageblock types");
  assert.match(texts[0].text, /pageblocks are of order 13, ours of 9/);
  assert.match(texts[1].text, /without pagetypeinfo/);
});

test("files that do not make a snapshot are refused with what is wrong", async () => {
  const refusals: readonly (readonly [(files: Files) => void, RegExp])[] = [
    [(f) => f.delete("kpageflags.u64"), /^pair: found .*zoneinfo.* but no kpageflags, expected a/],
    [(f) => f.clear(), /^pair: found no kpageflags, expected a snapshot/],
    [(f) => f.delete("zoneinfo"), /kpageflags\.u64: found no zoneinfo beside it/],
    [(f) => f.set("zoneinfo", utf8("hello\n")), /zoneinfo:1: found "hello"/],
    [(f) => f.set("zoneinfo", utf8("")), /zoneinfo: found no zone/],
    [(f) => f.set("kpageflags.u64", new Uint8Array(0)), /kpageflags\.u64: found no entry/],
    [(f) => f.set("kpageflags.u64", new Uint8Array(4097)), /found 4097 bytes, expected a multiple/],
    [(f) => f.set("kpageflags.u64", new Uint8Array(4096)), /zoneinfo:1: .*the 512 frames/],
    [
      (f) => f.set("kpagecount.u64", new Uint8Array(80)),
      /kpagecount\.u64: found 10 entries, .*4096/,
    ],
    [(f) => f.set("kpagecgroup.u64", new Uint8Array(80)), /kpagecgroup\.u64: found 10 entries/],
    [(f) => f.set("buddyinfo", utf8("x")), /buddyinfo:1: /],
    [
      (f) => f.set("buddyinfo", utf8(`Node 7, zone DMA ${"1 ".repeat(11)}`)),
      /buddyinfo: found no zone Normal of node 0, expected all of zoneinfo's/,
    ],
    [(f) => f.set("pagetypeinfo", utf8("")), /pagetypeinfo: found no zone/],
    [(f) => f.set("iomem", utf8("x")), /iomem:1: /],
    [(f) => f.set("vmstat", utf8("x")), /vmstat:1: /],
    [(f) => f.set("meminfo", utf8("x")), /meminfo:1: /],
    [(f) => f.set("snapshot.json", utf8("x")), /snapshot\.json: found "x", expected JSON/],
  ];
  for (const [change, message] of refusals) assert.match(await refusal(change), message);
});

test("a side that is not there is refused with what is", async () => {
  assert.match(await refusal(() => {}, "after"), /^pair: found only before\/, expected after\//);
  const alone = entriesOf(filesOf(machine(), "every page"), "");
  await assert.rejects(read(alone, "after"), { message: /one snapshot without sides/ });
});

test("several snapshots in one place are refused before the second is read", async () => {
  const one = filesOf(machine(), "every page");
  const source = joined(entriesOf(one, "a/before/"), entriesOf(one, "b/before/"));
  await assert.rejects(read(source), {
    name: "InputError",
    message:
      "pair: found several snapshots, a/before and b/before among them, expected one: name its folder",
  });
});

test("the kernel's release comes from snapshot.json, or else from /proc/version", async () => {
  const files = filesOf(machine(), "every page");
  files.delete("snapshot.json");
  const without = await read(entriesOf(files, ""));
  assert.equal(without.snapshot.kernel, null);
  files.set(
    "version",
    utf8("Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) #1 SMP\n"),
  );
  const live = await read(entriesOf(files, ""));
  assert.equal(live.snapshot.kernel, "Linux 6.1.0-56-amd64");
});
