/**
 * The maps of before and after in the report's page: pictures, a legend, and data for the pointer.
 *
 * Pictures and legend need no script. A map's frame has the aspect of its grid, so that each cell
 * is a square of whole pixels where the window has room.
 */
import { PAGE_SIZE, PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import type { CompactRun } from "../snapshot/compact-snapshot.ts";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { base64 } from "./base64.ts";
import { type BlockCells, blockCells, cellsPng, encodeCells, gridFor } from "./block-cells.ts";
import { blockShares, countKinds, decidingKinds } from "./deciding-kinds.ts";
import { type Html, html, trusted } from "./html.ts";
import { counted, grouped, pagesAsSize } from "./numbers.ts";

type SideName = "before" | "after";

/** Marks along a map's left edge, at most. */
const MAX_TICKS = 14;

export function mapsSection(run: CompactRun, snapshot: Snapshot): Html {
  const grid = gridFor(snapshot.pageCount);
  const before = blockCells(snapshot.kind, grid);
  const after = blockCells(run.kindsAfter, grid);
  const counts = {
    before: countKinds(decidingKinds(snapshot.kind)),
    after: countKinds(decidingKinds(run.kindsAfter)),
  };
  const size = pagesAsSize(grid.blocksPerCell * PAGEBLOCK_NR_PAGES);
  const cell = grid.blocksPerCell === 1 ? "one pageblock" : `${grid.blocksPerCell} pageblocks`;
  return html`
<section>
<h2>Every block of memory, before and after</h2>
<p>One square is ${cell}, ${size}, the address rising from left to right and from top to bottom.
Its colour is what keeps it from being a huge page: of all that is in it, what is hardest to move.
It is the stronger the more of the block is in use.</p>
<div id="maps">
${mapFigure("before", before, counts.before)}
${mapFigure("after", after, counts.after)}
<div id="tip" role="status" hidden></div>
</div>
<p id="map-help" class="soft" hidden>Point at a square, or step with the arrow keys, to see what
was and is in it.</p>
${legend(counts.before, counts.after)}
</section>
${mapData(run, snapshot, before, after)}`;
}

function mapFigure(side: SideName, cells: BlockCells, counts: Uint32Array): Html {
  const { free, movable, fixed } = blockShares(counts);
  const rows = Math.ceil(cells.count / cells.columns);
  const alt =
    `Map of memory ${side} compaction: ${counted(free, "free block")}, ${grouped(movable)} kept ` +
    `by pages that can move, ${grouped(fixed)} by pages that cannot.`;
  const source = `data:image/png;base64,${base64(cellsPng(cells))}`;
  return html`<figure>
<figcaption>${side === "before" ? "Before" : "After"}: ${counted(free, "block")} free</figcaption>
<div class="chart">
<div class="ticks" aria-hidden="true">${ticks(cells, rows)}</div>
<div class="map" style="aspect-ratio: ${cells.columns} / ${rows}">
<img src="${source}" width="${cells.columns}" height="${rows}" alt="${alt}">
</div>
</div>
</figure>`;
}

/** Addresses of rows, at round distances. */
function ticks({ columns, blocksPerCell }: BlockCells, rows: number): Html[] {
  let step = 1;
  while (rows / step > MAX_TICKS) step *= 2;
  const pagesPerRow = columns * blocksPerCell * PAGEBLOCK_NR_PAGES;
  return Array.from({ length: Math.ceil(rows / step) }, (_, index) => {
    const row = index * step;
    const top = ((100 * row) / rows).toFixed(2);
    return html`<span style="top: ${top}%">${addressText(row * pagesPerRow)}</span>`;
  });
}

/** 1048576 -> "4 GiB". */
function addressText(pfn: number): string {
  const gib = (pfn * PAGE_SIZE) / 2 ** 30;
  if (pfn === 0) return "0";
  return gib < 1 ? `${Number((gib * 1024).toFixed(1))} MiB` : `${Number(gib.toFixed(2))} GiB`;
}

function legend(before: Uint32Array, after: Uint32Array): Html {
  const [hole, ...kinds] = PAGE_KINDS;
  const rows = [...kinds, hole]
    .filter(({ kind }) => before[kind] + after[kind] > 0)
    .map(
      ({ kind, name, means, colour }) => html`<tr>
<td>${swatch(kind, colour)}</td>
<th scope="row">${name}</th>
<td class="number">${grouped(before[kind])}</td>
<td class="number">${grouped(after[kind])}</td>
<td>${means}</td>
</tr>`,
    );
  return html`<div class="wide"><table>
<thead><tr><td></td><th scope="col">Kept by</th><th scope="col" class="number">Blocks before</th>
<th scope="col" class="number">after</th><th scope="col">What it is</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

function swatch(kind: number, colour: number): Html {
  if (kind === PAGE_KIND.free) return html`<span class="swatch free"></span>`;
  if (kind === PAGE_KIND.hole) return html`<span class="swatch hole"></span>`;
  const code = `#${colour.toString(16).padStart(6, "0")}`;
  return html`<span class="swatch" style="background: ${code}"></span>`;
}

/** What the script reads. See `decodeCells` there. */
function mapData(run: CompactRun, snapshot: Snapshot, before: BlockCells, after: BlockCells): Html {
  const nodes = new Set(snapshot.zones.map(({ node }) => node)).size;
  const facts = {
    columns: before.columns,
    blocksPerCell: before.blocksPerCell,
    pagesPerBlock: PAGEBLOCK_NR_PAGES,
    pageCount: snapshot.pageCount,
    kinds: PAGE_KINDS.map(({ name }) => name),
    zones: run.machine.mem.zones.map(({ type, node, startPfn, endPfn }) => ({
      name: nodes > 1 ? `${type} of node ${node}` : type,
      start: startPfn,
      end: endPfn,
    })),
  };
  return html`
<script type="application/json" id="map-facts">${trusted(jsonInScript(facts))}</script>
<script type="text/plain" id="cells-before">${base64(encodeCells(before))}</script>
<script type="text/plain" id="cells-after">${base64(encodeCells(after))}</script>`;
}

/** JSON that cannot end the element that it stands in. */
function jsonInScript(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}
