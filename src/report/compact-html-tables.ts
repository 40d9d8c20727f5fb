/**
 * The tables of the report's page. Real tables with headings, so that they can be read aloud,
 * copied into a sheet and printed; bars in them only repeat what the numbers say.
 */
import { MAX_ORDER } from "../memory/constants.ts";
import type { CompactRun } from "../snapshot/compact-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { STAY_REASONS } from "../snapshot/stay-reasons.ts";
import {
  blocksKept,
  type CompactStory,
  OUTCOME_TEXT,
  signed,
  standingRefusals,
} from "./compact-story.ts";
import { type BlockShares, blockShares, countKinds, decidingKinds } from "./deciding-kinds.ts";
import { type Html, html } from "./html.ts";
import { grouped, pagesAsSize, percent } from "./numbers.ts";
import { STAY_ADVICE } from "./stay-advice.ts";

/** Huge pages possible, and who holds the other blocks. */
export function answerTable(
  run: CompactRun,
  snapshot: Snapshot,
  { hugePages }: CompactStory,
): Html {
  const shares = [snapshot.kind, run.kindsAfter].map((kinds) =>
    blockShares(countKinds(decidingKinds(kinds))),
  );
  const total = shares[0].free + shares[0].movable + shares[0].fixed;
  const rows = hugePages.map(({ count, gain, words }, index) => {
    const own = shares[index];
    return html`<tr>
<th scope="row">${words.charAt(0).toUpperCase() + words.slice(1)}</th>
<td class="number answer">${grouped(count)}</td>
<td class="number gain">${gain === null ? "" : signed(gain)}</td>
<td class="number">${own ? grouped(own.movable) : "not known"}</td>
<td class="number">${own ? grouped(own.fixed) : "not known"}</td>
<td class="bar">${shareBar(own ?? { free: count, movable: 0, fixed: 0 }, total)}</td>
</tr>`;
  });
  return html`<div class="wide"><table class="answers">
<caption>Of ${grouped(total)} blocks of 2 MiB</caption>
<thead><tr><td></td><th scope="col" class="number">Huge pages possible</th>
<th scope="col" class="number">Gained</th>
<th scope="col" class="number"><span class="swatch movable"></span>Kept by pages that can move</th>
<th scope="col" class="number"><span class="swatch fixed"></span>Kept by pages that cannot</th>
<td class="bar"></td></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

function shareBar({ free, movable, fixed }: BlockShares, total: number): Html {
  const part = (name: string, count: number): Html =>
    html`<span class="${name}" style="width: ${((100 * count) / total).toFixed(2)}%"></span>`;
  return html`<span class="shares" aria-hidden="true">${part("free", free)}${part("movable", movable)}${part("fixed", fixed)}</span>`;
}

/** Why pages stayed, most blocks first. */
export function stayedTable({ report }: CompactRun): Html {
  const rows = [...report.stayed].sort((a, b) => b.pageblocks - a.pageblocks || b.pages - a.pages);
  const most = Math.max(1, ...rows.map(({ pageblocks }) => pageblocks));
  const body = rows.map(
    ({ reason, pages, pageblocks }) => html`<tr>
<th scope="row"><code>${reason}</code></th>
<td class="number">${grouped(pageblocks)}</td>
<td class="bar">${bar(STAY_ADVICE[reason].pile, pageblocks / most)}</td>
<td class="number">${grouped(pages)}</td>
<td class="number">${pagesAsSize(pages)}</td>
<td>${STAY_REASONS[reason]}</td>
<td>${withCode(STAY_ADVICE[reason].remedy)}</td>
</tr>`,
  );
  return html`<div class="wide"><table class="reasons">
<thead><tr><th scope="col">Reason</th><th scope="col" class="number">Blocks kept</th><td class="bar"></td>
<th scope="col" class="number">Pages</th><th scope="col" class="number">Size</th>
<th scope="col">Why they stayed</th><th scope="col">What would free them</th></tr></thead>
<tbody>${body}</tbody>
<tfoot><tr><th scope="row">all</th><td class="number">${grouped(blocksKept(rows))}</td><td class="bar"></td>
<td class="number">${grouped(rows.reduce((sum, { pages }) => sum + pages, 0))}</td>
<td class="number">${pagesAsSize(rows.reduce((sum, { pages }) => sum + pages, 0))}</td>
<td></td><td></td></tr></tfoot>
</table></div>`;
}

/** What stands between backticks as code. */
function withCode(text: string): Html[] {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 0 ? html`${part}` : html`<code>${part}</code>`));
}

/** Nothing for nothing: the thinnest bar would look like a little. */
function bar(name: string, share: number): Html | "" {
  if (share === 0) return "";
  const width = (100 * share).toFixed(2);
  return html`<span class="single ${name}" aria-hidden="true" style="width: ${width}%"></span>`;
}

/** Free blocks and the memory in them, by order. */
export function ordersTable({ report }: CompactRun): Html {
  const { before, after } = report.free;
  const memory = (counts: readonly number[], order: number): number => counts[order] * 2 ** order;
  const total = (counts: readonly number[]): number =>
    counts.reduce((sum, _, order) => sum + memory(counts, order), 0);
  const rows = Array.from({ length: MAX_ORDER }, (_, order) => {
    const [was, is] = [memory(before, order), memory(after, order)];
    return html`<tr>
<th scope="row" class="number">${order}</th>
<td class="number">${pagesAsSize(2 ** order)}</td>
<td class="number">${grouped(before[order])}</td>
<td class="number">${grouped(after[order])}</td>
<td class="number">${signed(after[order] - before[order])}</td>
<td class="number">${percent(was, total(before))}</td>
<td class="number">${percent(is, total(after))}</td>
</tr>`;
  });
  return html`<div class="wide"><table>
<thead><tr><th scope="col" class="number">Order</th><th scope="col" class="number">Block</th>
<th scope="col" class="number">Free before</th><th scope="col" class="number">Free after</th>
<th scope="col" class="number">Change</th>
<th scope="col" class="number">Of all free memory, before</th>
<th scope="col" class="number">after</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

export function zonesTable({ zones }: CompactRun): Html {
  const rows = zones.map(
    ({ zone, result, migrateScanned, freeScanned }) => html`<tr>
<th scope="row">${zone.type}</th>
<td class="number">${zone.node}</td>
<td class="number">${pagesAsSize(zone.present)}</td>
<td class="number">${grouped(zone.startPfn)}\u2013${grouped(zone.endPfn - 1)}</td>
<td class="number">${grouped(migrateScanned)}</td>
<td class="number">${grouped(freeScanned)}</td>
<td><code>${result}</code>: ${OUTCOME_TEXT[result]}</td>
</tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">Zone</th><th scope="col" class="number">Node</th>
<th scope="col" class="number">Memory</th><th scope="col" class="number">Frames</th>
<th scope="col" class="number">Scanned for pages to move</th>
<th scope="col" class="number">and for free ones</th><th scope="col">Outcome</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

/** What refused to the end; nothing if nothing did. */
export function refusalsTable(run: CompactRun): Html {
  const refusals = standingRefusals(run);
  if (refusals.length === 0) return html``;
  const rows = refusals.map(
    ({ name, text, folios }) => html`<tr>
<th scope="row"><code>${name}</code></th>
<td class="number">${grouped(folios)}</td>
<td>${text}</td>
</tr>`,
  );
  return html`<h3>What refused to the end</h3>
<div class="wide"><table>
<thead><tr><th scope="col">Refusal</th><th scope="col" class="number">Folios</th>
<th scope="col">What it means</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}

export function findingsTable({ findings }: Snapshot): Html {
  if (findings.length === 0) return html``;
  const rows = findings.map(
    ({ topic, text, certainty }) => html`<tr>
<td><span class="certainty ${certainty}">${certainty}</span></td>
<th scope="row">${topic}</th>
<td>${text}</td>
</tr>`,
  );
  return html`<h3>What was inferred about the snapshot</h3>
<div class="wide"><table>
<thead><tr><th scope="col">How surely</th><th scope="col">What</th><th scope="col">Finding</th></tr></thead>
<tbody>${rows}</tbody>
</table></div>`;
}
