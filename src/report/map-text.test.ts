import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";
import { mapText } from "./map-text.ts";
import { blocksPerCellFor, memoryMap } from "./memory-map.ts";

/** 64 pageblocks: anonymous pages with a little slab, a slab page, a hole of 32, the rest free. */
function kinds(): Uint8Array {
  const column = new Uint8Array(64 * 512).fill(PAGE_KIND.free);
  column.fill(PAGE_KIND.anonymous, 512, 800);
  column.fill(PAGE_KIND.slab, 800, 900);
  column.fill(PAGE_KIND.slab, 1024, 1025);
  column.fill(PAGE_KIND.hole, 16 * 512, 48 * 512);
  return column;
}

test("a cell is of the kind of most of its pages in use", () => {
  const map = memoryMap(kinds(), 1);
  assert.deepEqual(
    [...map.kind.subarray(0, 4)],
    [PAGE_KIND.free, PAGE_KIND.anonymous, PAGE_KIND.slab, PAGE_KIND.free],
  );
  assert.deepEqual([...map.used.subarray(0, 4)], [0, 388, 1, 0]);
  assert.equal(map.kind[20], PAGE_KIND.hole);
  assert.equal(map.present[20], 0);
  const coarse = memoryMap(kinds(), 4);
  assert.equal(coarse.kind[0], PAGE_KIND.anonymous);
  assert.equal(coarse.used[0], 389);
});

test("cells grow by twos until the map fits", () => {
  assert.equal(blocksPerCellFor(64 * 512, 16, 4), 1);
  assert.equal(blocksPerCellFor(64 * 512 + 1, 16, 4), 2);
  assert.equal(blocksPerCellFor(2 ** 28, 64, 28), 512);
});

test("without colour a cell is the code of its kind, and a hole is told once", () => {
  const { lines, blocksPerCell } = mapText(kinds(), [{ pfn: 48 * 512, text: "HIGH" }], 50, "none");
  assert.equal(blocksPerCell, 1);
  assert.deepEqual(lines, [
    `${" ".repeat(30)}free`,
    "     0 B  .as.............   95.3%",
    "          (no memory)",
    "96.0 MiB  ................  100.0%  HIGH",
  ]);
});

test("in colour a character is two cells, and a fuller cell is stronger", () => {
  const { lines } = mapText(kinds(), [], 40, "all");
  // Rows 0 and 1 share a line, as do rows 2 and 3.
  assert.equal(lines.length, 3);
  const colours = [...lines[1].matchAll(/38;2;(\d+);(\d+);(\d+)m/g)].map((match) =>
    match.slice(1).reduce((sum, channel) => sum * 256 + Number(channel), 0),
  );
  assert.equal(colours.length, 16);
  const free = PAGE_KINDS[PAGE_KIND.free].colour;
  const apart = (a: number, b: number): number =>
    [16, 8, 0].reduce(
      (sum, shift) => sum + Math.abs(((a >> shift) & 255) - ((b >> shift) & 255)),
      0,
    );
  assert.equal(colours[0], free);
  // Nearly full of anonymous pages: nearer to their colour than the cell with one slab page to its.
  const [full, one] = [PAGE_KIND.anonymous, PAGE_KIND.slab].map((kind, index) => {
    const own = PAGE_KINDS[kind].colour;
    return apart(colours[index + 1], own) / apart(free, own);
  });
  assert.ok(full < one && one < 1, `${full} ${one}`);
});
