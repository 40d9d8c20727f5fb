import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBuddyinfo } from "./buddyinfo.ts";
import { parseIomem } from "./iomem.ts";
import { parseRunJson, parseSnapshotJson } from "./json.ts";
import { quoted } from "./lines.ts";
import { parseMeminfo } from "./meminfo.ts";
import { parsePagetypeinfo } from "./pagetypeinfo.ts";
import { parseVmstat } from "./vmstat.ts";

/** Each text is refused with an `InputError` whose message matches. */
function refuses(
  parse: (place: string, text: string) => unknown,
  cases: readonly (readonly [string, RegExp])[],
): void {
  for (const [text, message] of cases) {
    assert.throws(() => parse("f", text), { name: "InputError", message });
  }
}

test("buddyinfo is read by zone and order", () => {
  const text =
    "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 \n" +
    "Node 1, zone   Normal  37294  26314  31280  19194  10493   4041    839     65      1      3   4186 \n";
  assert.deepEqual(parseBuddyinfo("f", text), [
    { node: 0, name: "DMA", counts: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3] },
    {
      node: 1,
      name: "Normal",
      counts: [37294, 26314, 31280, 19194, 10493, 4041, 839, 65, 1, 3, 4186],
    },
  ]);
  refuses(parseBuddyinfo, [
    ["", /^f: found no zone/],
    ["Node 0, zone DMA 1 2 3\n", /^f:1: .* expected 11 counts/],
    ["\nNode 0, zone DMA 1 2 3 4 5 6 7 8 9 10 x\n", /^f:2: .* expected 11 counts/],
    ["nonsense", /^f:1: found "nonsense"/],
  ]);
});

const PAGETYPEINFO = `Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2      3      4      5      6      7      8      9     10 
Node    0, zone   Normal, type    Unmovable   5032   1321   9680   7208   4737   1913    367     21      0      0      0 
Node    0, zone   Normal, type      Movable >100000  17541  16629  10000   5372   2111    472     43      1      3   4186 
Node    0, zone   Normal, type      Isolate      0      0      0      0      0      0      0      0      0      0      2 

Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate 
Node 0, zone   Normal          832         9716          204            0            7 
Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2      3      4      5      6      7      8      9     10 
Node    1, zone    DMA32, type  Reclaimable      0      3      3      2      0      0      1      0      1      1      0 

Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate 
Node 1, zone    DMA32           17          169            6            0            0 
`;

test("pagetypeinfo is read by type, also of a kernel without CMA", () => {
  const { pageblockOrder, zones } = parsePagetypeinfo("f", PAGETYPEINFO);
  assert.equal(pageblockOrder, 9);
  const [normal, dma32] = zones;
  assert.deepEqual(normal.free[0], [5032, 1321, 9680, 7208, 4737, 1913, 367, 21, 0, 0, 0]);
  assert.equal(normal.free[1]?.[0], 100000);
  assert.equal(normal.cut, true);
  // Isolate is 5 here though it is the fifth column there.
  assert.deepEqual(normal.blocks, [832, 9716, 204, 0, 0, 7]);
  assert.equal(normal.free[5]?.[10], 2);
  assert.equal(normal.free[4], null);
  assert.equal(dma32.node, 1);
  assert.equal(dma32.cut, false);
  assert.deepEqual(dma32.blocks, [17, 169, 6, 0, 0, 0]);
  refuses(parsePagetypeinfo, [
    ["", /^f: found no zone/],
    ["Page block order: nine", /^f:1: /],
    ["Node 0, zone DMA, type Movable 1 2", /^f:1: .* expected 11 counts/],
    ["Number of blocks type Unmovable Movable\nNode 0, zone DMA 1", /^f:2: .* each of the 2 types/],
  ]);
});

test("iomem gives whole frames of RAM, and the frames that the kernel's image touches", () => {
  const text =
    "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n" +
    "00100000-bfffffff : System RAM\n  01000000-02209987 : Kernel code\n" +
    "  03b34000-03c57fff : Kernel bss\n100000000-63fffffff : System RAM\n";
  assert.deepEqual(parseIomem("f", text), {
    ram: [
      { start: 0x1, end: 0x9f },
      { start: 0x100, end: 0xc0000 },
      { start: 0x100000, end: 0x640000 },
    ],
    kernel: [
      { start: 0x1000, end: 0x220a },
      { start: 0x3b34, end: 0x3c58 },
    ],
  });
  refuses(parseIomem, [
    ["System RAM", /^f:1: /],
    ["00002000-00001fff : a\n00002000-00001000 : System RAM", /^f:2: .* not before the start/],
  ]);
});

test("iomem as a reader without privilege sees it says nothing", () => {
  assert.equal(
    parseIomem("f", "00000000-00000000 : System RAM\n00000000-00000000 : Kernel code\n"),
    null,
  );
});

test("meminfo and vmstat are read by name", () => {
  const meminfo = parseMeminfo(
    "f",
    "MemTotal:   24684092 kB\nActive(anon):  5 kB\nHugePages_Free:  3\n",
  );
  assert.deepEqual(
    [...meminfo],
    [
      ["MemTotal", 24684092],
      ["Active(anon)", 5],
      ["HugePages_Free", 3],
    ],
  );
  refuses(parseMeminfo, [["MemTotal: 5 kB\nMemFree: -3 kB", /^f:2: /]]);
  const vmstat = parseVmstat("f", "nr_free_pages 77\nnr_dirty -1\n");
  assert.deepEqual(
    [...vmstat],
    [
      ["nr_free_pages", 77],
      ["nr_dirty", -1],
    ],
  );
  refuses(parseVmstat, [["nr_free_pages 1\nrubbish", /^f:2: found "rubbish"/]]);
});

test("snapshot.json is read, a field of another kind is passed over", () => {
  const text = '{"kernel":"Linux 6.18.44 x86_64","pageSize":4096,"pfns":"many","scanSeconds":1.5}';
  assert.deepEqual(parseSnapshotJson("f", text), {
    kernel: "Linux 6.18.44 x86_64",
    pfns: null,
    scanSeconds: 1.5,
  });
  refuses(parseSnapshotJson, [
    ["{", /^f: found "{", expected JSON/],
    ["[]", /^f: .* a JSON object/],
    ['{"pageSize":16384}', /^f: found pageSize "16384", expected 4096/],
  ]);
});

test("run.pair.json gives its regions", () => {
  const region = { name: "anon", baseVpn: 34141186048, pages: 1048576, file: "pagemap.anon" };
  assert.deepEqual(parseRunJson("f", JSON.stringify({ regions: [region] })), [region]);
  assert.deepEqual(parseRunJson("f", "{}"), []);
  refuses(parseRunJson, [
    ['{"regions":5}', /^f: /],
    ['{"regions":[{"name":"a"}]}', /^f: found region 0 without them/],
    ['{"regions":[null]}', /^f: found region 0/],
  ]);
});

test("a bad line is shown short and printable", () => {
  assert.equal(quoted("  a\x1b[31m\tb  "), '"a?[31m?b"');
  assert.equal(quoted("x".repeat(100)).length, 65);
});
