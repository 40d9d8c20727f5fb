/**
 * The report of a compaction as one page: everything the screen says, the maps in full, the tables.
 *
 * One file with nothing beside it: no address in it leads anywhere, and its own policy forbids it
 * to load anything. It can be read without script, on paper, and in the dark.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import type { CompactRun } from "../snapshot/compact-snapshot.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { mapsSection } from "./compact-html-maps.ts";
import { COMPACT_SCRIPT } from "./compact-html-script.ts";
import { COMPACT_STYLE } from "./compact-html-style.ts";
import {
  answerTable,
  findingsTable,
  ordersTable,
  refusalsTable,
  stayedTable,
  zonesTable,
} from "./compact-html-tables.ts";
import { blocksKept, type CompactStory, tellCompaction } from "./compact-story.ts";
import { type Html, html, trusted } from "./html.ts";
import { counted, grouped, pagesAsSize } from "./numbers.ts";

/** How the report came to be. */
export interface ReportMade {
  /** Of this package. */
  readonly version: string;
  /** As it was typed. */
  readonly command: string;
}

const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** The whole file. */
export function compactHtml(run: CompactRun, snapshot: Snapshot, made: ReportMade): string {
  const story = tellCompaction(run, snapshot);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${snapshot.name}: ${story.headline}</title>
<style>${trusted(COMPACT_STYLE)}</style>
</head>
<body>
<main>
${header(run, snapshot, story)}
${answers(run, snapshot, story)}
${mapsSection(run, snapshot)}
${stayed(run, story)}
${details(run, snapshot, story)}
${origin(run, snapshot, made)}
</main>
<script>${trusted(COMPACT_SCRIPT)}
startMaps();
</script>
</body>
</html>
`;
  return page.markup;
}

function header(
  { report, zones, machine }: CompactRun,
  snapshot: Snapshot,
  story: CompactStory,
): Html {
  const facts = [
    snapshot.side === "after" ? "taken after the kernel's own compaction" : "",
    pagesAsSize(report.pages),
    counted(zones.length, "zone"),
    snapshot.kernel === null ? "kernel not told" : `ran ${snapshot.kernel}`,
  ].filter((fact) => fact !== "");
  const alarm =
    story.alarm === null ? html`` : html`<p class="alarm" role="alert">${story.alarm}</p>`;
  return html`<header>
${alarm}
<p class="soft">${snapshot.name}, compacted by Godwit as Linux ${machine.mem.profile.release} does
\u00b7 ${facts.join(" \u00b7 ")}</p>
<h1>${story.headline}</h1>
</header>`;
}

function answers(run: CompactRun, snapshot: Snapshot, story: CompactStory): Html {
  return html`<section>
${answerTable(run, snapshot, story)}
<p>${story.moved} ${story.verified}</p>
<p class="soft">Pages that lie free on a processor's own list look like the kernel's, and count here
among those that cannot move.</p>
</section>`;
}

function stayed(run: CompactRun, { meaning }: CompactStory): Html {
  const { stayed, hugePages } = run.report;
  const kept = blocksKept(stayed);
  const total = kept + hugePages.after;
  return html`<section>
<h2>Why ${grouped(kept)} of ${grouped(total)} blocks are not free</h2>
<p>${meaning.join(" ")}</p>
${stayedTable(run)}
<p class="soft">A block of 2 MiB, ${PAGEBLOCK_NR_PAGES} pages, counts once: under the reason that is
hardest to overcome of all that are in it. So a reason can have many pages and few blocks.</p>
</section>`;
}

function details(run: CompactRun, snapshot: Snapshot, story: CompactStory): Html {
  const limits = story.limits.map((limit) => html`<li>${limit}</li>`);
  return html`<section>
<h2>Free blocks by order</h2>
${ordersTable(run)}
</section>
<section>
<h2>Zone by zone</h2>
${zonesTable(run)}
${refusalsTable(run)}
</section>
<section>
<h2>How surely</h2>
<ul>${limits}</ul>
${findingsTable(snapshot)}
</section>`;
}

function origin({ report, machine }: CompactRun, snapshot: Snapshot, made: ReportMade): Html {
  const all = Object.entries(report.vmstat);
  const changed = all.filter(([, value]) => value !== 0);
  const contents =
    report.contents === "bytes"
      ? "real bytes, 4096 to each page that a process or a file has"
      : "one token for the bytes of each page that a process or a file has";
  return html`<section>
<h2>The kernel's counters</h2>
<p>What this compaction added to those of <code>/proc/vmstat</code>; the other
${all.length - changed.length} that are kept here did not change.</p>
<pre>${changed.map(([name, value]) => `${name} ${value}\n`)}</pre>
</section>
<footer>
<h2>How this was made</h2>
<dl>
<dt>Command</dt><dd><code>${made.command}</code></dd>
<dt>Program</dt><dd>godwit ${made.version}</dd>
<dt>Snapshot</dt><dd>${snapshot.name}, the side ${snapshot.side}</dd>
<dt>Its kernel</dt><dd>${snapshot.kernel ?? "not told"}</dd>
<dt>Acting as</dt><dd>Linux ${machine.mem.profile.release}</dd>
<dt>Contents</dt><dd>${contents}</dd>
</dl>
</footer>`;
}
