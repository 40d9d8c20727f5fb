import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompactReport } from "../snapshot/compact-snapshot.ts";
import { compactText } from "./compact-text.ts";
import { type SmallRun, smallRun } from "./small-run.ts";

const PLAIN = { colour: "none", width: 100 } as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colour is made of them
const COLOUR_CODES = /\x1b\[[\d;]*m/g;

const SCREEN = `
small, compacted as Linux 6.1 does  60.0 MiB · 1 zone · ran Linux 6.18.44 x86_64

Huge pages possible (whole free blocks of 2 MiB)
  16  before
  21  after this compaction: +5
  19  after the real kernel's own compaction of the same memory: +3

783 pages (3.06 MiB of real bytes) moved in 0.25 s, 319.28 us a page. 1 folio refused to the end (no
free page was left to move to).
All 1,888 pages of processes and files (7.38 MiB) were then compared byte for byte: 0 wrong.

          before                             after
     0 B   ssaaaaaatffA ..............mm..    ss.....?tafA ..............aa..
. free 16 -> 21  a anonymous 6 -> 3  A anonymous, huge 1  f file 2 -> 1  m shmem 2 -> 0  s slab 2
t page table 1  ? kernel or per-CPU 0 -> 1
A cell is 1 block, 2.00 MiB: what keeps most of those that are not free, if a quarter are not.

Why 9 of 30 blocks are not free
  blocks  pages      size  kept by
       4  1,373  5.36 MiB  movable: moved to the zone's end, or beyond where the scanners met
       2     10  40.0 KiB  the kernel's small objects
       1    512  2.00 MiB  part of a large folio, which compaction leaves alone
       1    120   480 KiB  freed by this run, still on a processor's own list
       1      1  4.00 KiB  page tables of processes
       0      3  12.0 KiB  others: pages in motion, pages that refused to move

No compaction can free 3 of them. The kernel's small objects (40.0 KiB) keep 2, though 1 block would
hold them: they are scattered. 1 could be freed but for large folios. 5 are simply in use: pages of
processes and files and pages on processors' own lists.
Against the kernel's small objects: \`echo 2 > /proc/sys/vm/drop_caches\` drops file names and inodes
that nobody uses, but a block comes free only with its last object; huge pages that must be had are
best reserved at boot.

Free by order     0    1    2    3   4   5  6  7  8  9  10
  before       1387  875  107  105  10  10  6  0  0  0   8
  after         195  195   91   87  11  10  7  0  0  1  10
Zone Normal: scanned whole, until the scanners met.

How surely
- The rules are Linux 6.1's; the machine ran 6.18.44. Newer kernels move large folios too.
- The kernel's count also holds what the machine did between its two snapshots.
- Pinned pages do not show in a snapshot; where there are some, less is gained.
- missing files (missing): kpagecgroup is missing: which cgroup a page is charged to is not known
- missing files (missing): iomem is missing: holes rest on zoneinfo and flags alone
- Inferred, likely but not certain: pageblock types.
`;

function withReport({ snapshot, run }: SmallRun, change: Partial<CompactReport>): SmallRun {
  return { snapshot, run: { ...run, report: { ...run.report, ...change } } };
}

function textOf({ snapshot, run }: SmallRun): string {
  return compactText(run, snapshot, PLAIN);
}

/** Sentences may be broken anywhere. */
function unwrapped(text: string): string {
  return text.replace(/\s+/g, " ");
}

test("the screen of a small machine", async () => {
  assert.equal(textOf(await smallRun("bytes")), SCREEN.trimStart());
});

test("colour adds codes and changes no character", async () => {
  const { run, snapshot } = await smallRun("bytes");
  for (const width of [60, 80, 100, 160]) {
    const plain = compactText(run, snapshot, { colour: "none", width });
    for (const colour of ["256", "all"] as const) {
      const coloured = compactText(run, snapshot, { colour, width });
      assert.notEqual(coloured, plain);
      assert.equal(coloured.replace(COLOUR_CODES, ""), plain);
    }
  }
});

test("no line is longer than the terminal is wide", async () => {
  const { run, snapshot } = await smallRun("bytes");
  for (const width of [80, 100, 160]) {
    const lines = compactText(run, snapshot, { colour: "none", width }).split("\n");
    assert.deepEqual(
      lines.filter(({ length }) => length > width),
      [],
    );
  }
});

test("a wrong byte is said before anything else", async () => {
  const verified = { pages: 1888, mismatched: 3 };
  const text = textOf(withReport(await smallRun("bytes"), { verified }));
  const [rule, first] = text.split("\n");
  assert.match(rule, /^!+$/);
  assert.match(first, /^! WRONG CONTENTS: 3 pages of 1,888 did not keep what was in them\./);
  assert.match(text, /compared byte for byte: 3 wrong\./);
  assert.doesNotMatch(textOf(await smallRun("bytes")), /WRONG/);
});

test("a run with tokens says so, and speaks of no bytes", async () => {
  const text = unwrapped(textOf(await smallRun("tokens")));
  assert.match(text, /one token for the bytes of each/);
  assert.match(text, /compared by their tokens: 0 wrong\./);
  assert.doesNotMatch(text, /real bytes|byte for byte/);
});

test("without the kernel's own result nothing is said of it", async () => {
  const small = await smallRun("bytes");
  const hugePages = { ...small.run.report.hugePages, kernel: null };
  assert.match(unwrapped(textOf(small)), /real kernel.* two snapshots/);
  const without = unwrapped(textOf(withReport(small, { hugePages })));
  assert.doesNotMatch(without, /real kernel|two snapshots/);
});

test("a kernel that got much less may have given up early", async () => {
  const small = await smallRun("bytes");
  const { before } = small.run.report.hugePages;
  const hugePages = { ...small.run.report.hugePages, kernel: before + 1 };
  assert.match(
    unwrapped(textOf(withReport(small, { hugePages }))),
    /may have given a zone up early/,
  );
  assert.doesNotMatch(unwrapped(textOf(small)), /given a zone up/);
});

test("a run that moved nothing tells no speed", async () => {
  const nothing = { moved: 0, failed: 0, nanosecondsPerPage: 0 };
  const text = textOf(withReport(await smallRun("bytes"), nothing));
  assert.match(text, /^No page was moved, in 0\.25 s\. None refused\.$/m);
  assert.doesNotMatch(text, /us a page/);
});

test("a zone that was given up is not called packed", async () => {
  const { run, snapshot } = await smallRun("bytes");
  const zones = run.zones.map((zone) => ({ ...zone, result: "contended" as const }));
  const text = unwrapped(textOf({ snapshot, run: { ...run, zones } }));
  assert.match(text, /Zone Normal was given up before the scanners met; 5 hold pages that could/);
  assert.match(text, /Zone Normal: given up early/);
  assert.doesNotMatch(text, /simply in use/);
});
