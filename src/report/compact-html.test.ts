import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { inflateSync } from "node:zlib";
import { PAGE_KINDS } from "../snapshot/page-kinds.ts";
import { blockCells, encodeCells, gridFor } from "./block-cells.ts";
import { compactHtml } from "./compact-html.ts";
import { COMPACT_SCRIPT } from "./compact-html-script.ts";
import { decidingKinds } from "./deciding-kinds.ts";
import { html } from "./html.ts";
import { type SmallRun, smallRun } from "./small-run.ts";

const MADE = { version: "1.2.3", command: "godwit compact a&b.tar.gz" };
const VOID = new Set(["meta", "img", "br", "hr", "input", "link"]);

function pageOf({ run, snapshot }: SmallRun): string {
  return compactHtml(run, snapshot, MADE);
}

/** Fails at the first tag that closes another than the last one opened. */
function assertBalanced(page: string): void {
  const open: string[] = [];
  const withoutCode = page.replace(/(<(script|style)\b[^>]*>)[\s\S]*?(?=<\/\2>)/g, "$1");
  for (const [, slash, name] of withoutCode.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
    if (VOID.has(name)) continue;
    if (slash === "") open.push(name);
    else assert.equal(name, open.pop(), `</${name}> closes what is not open`);
  }
  assert.deepEqual(open, []);
}

/** Text of the element with this id. */
function textOf(page: string, id: string): string {
  const found = new RegExp(`id="${id}">([^<]*)<`).exec(page);
  assert.ok(found, `no element ${id}`);
  return found[1];
}

test("every tag is closed where it belongs", async () => {
  assertBalanced(pageOf(await smallRun("bytes")));
  assert.throws(() => assertBalanced("<p><b></p></b>"));
  assert.throws(() => assertBalanced("<p>"));
});

test("nothing in the page leads out of it", async () => {
  const page = pageOf(await smallRun("bytes"));
  const sources = [...page.matchAll(/\s(?:src|href|srcset|action|data)="([^"]*)"/g)];
  assert.equal(sources.length, 2);
  for (const [, source] of sources)
    assert.match(source, /^data:image\/png;base64,[A-Za-z0-9+/]+=*$/);
  assert.doesNotMatch(page, /https?:|url\(|@import|fetch\(|\bimport\b/);
  assert.match(page, /Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:/);
});

test("counters that did not change are counted, and reasons without a block have no bar", async () => {
  const small = await smallRun("bytes");
  const page = pageOf(small);
  const values = Object.values(small.run.report.vmstat);
  const zeros = values.filter((value) => value === 0).length;
  assert.match(page, new RegExp(`the other\\s+${zeros} that are kept here did not change`));
  assert.match(page, new RegExp(`pgmigrate_success ${small.run.report.moved}\n`));
  const [, counters] = /<pre>([\s\S]*?)<\/pre>/.exec(page) ?? [];
  assert.equal(counters.trim().split("\n").length, values.length - zeros);
  const reasons = small.run.report.stayed;
  const bars = page.match(/class="single /g) ?? [];
  assert.equal(bars.length, reasons.filter(({ pageblocks }) => pageblocks > 0).length);
});

test("what was read is escaped wherever it stands", async () => {
  const name = `</title><script>alert("1")</script>&'`;
  const small = await smallRun("bytes", name);
  const snapshot = { ...small.snapshot, kernel: "<b>6.1</b>" };
  const page = compactHtml(small.run, snapshot, { version: "1", command: "<i>" });
  assertBalanced(page);
  assert.doesNotMatch(page, /<script>alert|<b>6\.1|<i>/);
  assert.ok(
    page.includes("&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"),
  );
});

test("the tag of templates escapes values, joins lists and leaves markup alone", () => {
  const inner = html`<b>${"<&>"}</b>`;
  const { markup } = html`<p title="${'"'}">${[inner, 1, "'"]}</p>`;
  assert.equal(markup, '<p title="&quot;"><b>&lt;&amp;&gt;</b>1&#39;</p>');
});

test("the page's own script reads the cells that were written", async () => {
  const { run, snapshot } = await smallRun("bytes");
  const page = pageOf({ run, snapshot });
  const facts = JSON.parse(textOf(page, "map-facts"));
  assert.deepEqual(
    facts.kinds,
    PAGE_KINDS.map(({ name }) => name),
  );
  const sides = { before: snapshot.kind, after: run.kindsAfter };
  for (const [side, kinds] of Object.entries(sides)) {
    const bytes = Buffer.from(textOf(page, `cells-${side}`), "base64");
    const cells: [number, number][][] = decodeInPage(bytes);
    assert.equal(cells.length, Math.ceil(kinds.length / 512));
    for (const [cell, counts] of cells.entries()) {
      const block = kinds.subarray(cell * 512, (cell + 1) * 512);
      for (const [kind, pages] of counts) {
        assert.equal(pages, block.filter((each) => each === kind).length);
      }
      assert.equal(
        counts.reduce((sum, [, pages]) => sum + pages, 0),
        block.length,
      );
    }
  }
});

test("numbers of any size survive the coding of cells", () => {
  const kinds = new Uint8Array(512 * 2048).fill(1);
  kinds[700] = 10;
  const cells = blockCells(kinds, { columns: 16, blocksPerCell: 1024 });
  const decoded = decodeInPage(encodeCells(cells));
  assert.deepEqual(JSON.parse(JSON.stringify(decoded)), [
    [
      [1, 512 * 1024 - 1],
      [10, 1],
    ],
    [[1, 512 * 1024]],
  ]);
});

test("the picture has one pixel a block, of the kind that decides the block", async () => {
  const { run, snapshot } = await smallRun("bytes");
  const page = pageOf({ run, snapshot });
  const pictures = [...page.matchAll(/data:image\/png;base64,([^"]*)"/g)];
  const { columns } = gridFor(snapshot.pageCount);
  for (const [index, kinds] of [snapshot.kind, run.kindsAfter].entries()) {
    const file = Buffer.from(pictures[index][1], "base64");
    const start = file.indexOf("IDAT");
    const length = file.readUInt32BE(start - 4);
    const data = inflateSync(file.subarray(start + 4, start + 4 + length));
    const levels = file.readUInt32BE(file.indexOf("PLTE") - 4) / 3 / PAGE_KINDS.length;
    const deciding = [...decidingKinds(kinds)];
    const drawn = deciding.map((_, block) => {
      const row = Math.floor(block / columns);
      return Math.floor(data[row * (columns + 1) + 1 + (block % columns)] / levels);
    });
    assert.deepEqual(drawn, deciding);
  }
});

test("a picture of any machine is small enough to look at and to carry", () => {
  for (const pages of [1, 4096, 2 ** 18, 6553600, 2 ** 24 + 1, 2 ** 28, 2 ** 31]) {
    const { columns, blocksPerCell } = gridFor(pages);
    const cells = Math.ceil(Math.ceil(pages / 512) / blocksPerCell);
    assert.ok(cells <= 128 * 160);
    assert.ok(columns >= 16 && columns <= 128);
    assert.ok(columns === 128 || columns * columns >= cells);
    assert.ok(blocksPerCell === 1 || 2 * cells > 128 * 160);
  }
});

test("everything that the screen says is in the page", async () => {
  const small = await smallRun("bytes");
  const page = pageOf(small);
  for (const said of [
    "21 huge pages possible, 5 more than before",
    "783 pages (3.06 MiB of real bytes) moved in 0.25 s",
    "All 1,888 pages of processes and files (7.38 MiB) were then compared byte for byte: 0 wrong.",
    "Why 9 of 30 blocks are not free",
    "no free page was left to move to",
    "pgmigrate_success 783",
    "godwit compact a&amp;b.tar.gz",
    "godwit 1.2.3",
  ]) {
    assert.ok(page.includes(said), said);
  }
  for (const { text } of small.snapshot.findings)
    assert.ok(page.includes(html`${text}`.markup), text);
});

test("lost contents are said before anything else", async () => {
  const { run, snapshot } = await smallRun("bytes");
  const report = { ...run.report, verified: { pages: 1888, mismatched: 1 } };
  const page = pageOf({ run: { ...run, report }, snapshot });
  const alarm = page.indexOf("WRONG CONTENTS: 1 page of 1,888");
  assert.ok(alarm > 0 && alarm < page.indexOf("<h1>"));
  assert.doesNotMatch(pageOf({ run, snapshot }), /WRONG CONTENTS/);
});

function decodeInPage(bytes: Uint8Array): [number, number][][] {
  return runInNewContext(`${COMPACT_SCRIPT}\ndecodeCells(bytes)`, { bytes });
}
