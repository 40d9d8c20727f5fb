import assert from "node:assert/strict";
import { test } from "node:test";
import { bold, type ColourDepth, mix, paint } from "./colour.ts";
import { counted, grouped, pagesAsSize, percent } from "./numbers.ts";
import { tableLines, wrapped } from "./tables.ts";

test("colours are written as the terminal shows them, or not at all", () => {
  assert.equal(
    paint("all", "x", 0x102030, 0xffffff),
    "\x1b[38;2;16;32;48m\x1b[48;2;255;255;255mx\x1b[0m",
  );
  assert.equal(paint("none", "x", 0x102030), "x");
  assert.equal(bold("none", "x"), "x");
  const indexes: readonly (readonly [number, number])[] = [
    [0xff0000, 196],
    [0xffffff, 231],
    [0x000000, 16],
    [0x808080, 244],
    [0x5fd7ff, 81],
  ];
  for (const [colour, index] of indexes) {
    assert.equal(paint("256" satisfies ColourDepth, "x", colour), `\x1b[38;5;${index}mx\x1b[0m`);
  }
});

test("colours mix channel by channel", () => {
  assert.equal(mix(0x000000, 0xff8040, 0), 0x000000);
  assert.equal(mix(0x000000, 0xff8040, 1), 0xff8040);
  assert.equal(mix(0x102030, 0x304050, 0.5), 0x203040);
});

test("sizes have three digits, shares one", () => {
  const sizes: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [1, "4.00 KiB"],
    [256, "1.00 MiB"],
    [2559, "10.0 MiB"],
    [25_369, "99.1 MiB"],
    [25_600, "100 MiB"],
    [262_143, "1024 MiB"],
    [6_291_456, "24.0 GiB"],
    [2 ** 40, "4.00 PiB"],
  ];
  for (const [pages, text] of sizes) assert.equal(pagesAsSize(pages), text);
  assert.equal(percent(1, 3), "33.3%");
  assert.equal(percent(1, 1_000_000), "<0.1%");
  assert.equal(percent(999_999, 1_000_000), ">99.9%");
  assert.equal(percent(5, 5), "100.0%");
  assert.equal(percent(0, 5), "0.0%");
  assert.equal(percent(0, 0), "-");
});

test("counts are grouped and have their plural", () => {
  assert.deepEqual([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
  assert.equal(counted(1, "node"), "1 node");
  assert.equal(counted(2000, "pageblock"), "2,000 pageblocks");
});

test("a table's columns are as wide as what is in them", () => {
  const lines = tableLines(
    [
      { title: "name", align: "left" },
      { title: "n", align: "right" },
      { title: "", align: "left" },
    ],
    [["a", "1,000", "end"], null, ["longer", "5", ""]],
  );
  assert.deepEqual(lines, ["name        n  ", "a       1,000  end", "", "longer      5  "]);
});

test("a table's cells are painted once they have their width", () => {
  const seen: string[] = [];
  tableLines([{ title: "n", align: "right" }], [["10"], ["5"]], (text, row, column) => {
    seen.push(`${row},${column}:${text}`);
    return text;
  });
  assert.deepEqual(seen, ["-1,0: n", "0,0:10", "1,0: 5"]);
});

test("text breaks at spaces, and a word that is too long stands alone", () => {
  assert.deepEqual(wrapped("aa bb cc", 5, " "), ["aa bb", " cc"]);
  assert.deepEqual(wrapped("aaaaaaaa bb", 5, ""), ["aaaaaaaa", "bb"]);
  assert.deepEqual(wrapped("", 5, ""), [""]);
});
