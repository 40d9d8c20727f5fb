/** Every recorded compaction that can be run here gives the kernel's events and frames. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { readRecordFolder } from "../src/host/record-files.ts";
import { type CompactionRecord, readCompactionRecord } from "../src/replay/compaction-record.ts";
import type { GotHuge } from "../src/replay/judge-huge.ts";
import { type IsolateEvent, isolateEvents, parseTrace } from "../src/replay/kernel-trace.ts";
import { replayCompaction, whyNot } from "../src/replay/replay-compaction.ts";
import type { RecordResult } from "../src/replay/result.ts";

const folder = path.resolve(import.meta.dirname, "../records/compaction");
const ids = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const huge: Readonly<Record<string, (result: RecordResult) => void>> = {
  alloc_thp_direct: ({ got, expected }) => {
    const { obtained, events, vmstat_delta: ours } = got as GotHugePages;
    assert.deepEqual([obtained, events], [64, { equal: 364, total: 364 }]);
    const theirs = (expected as { vmstat_delta: Record<string, number> }).vmstat_delta;
    for (const [name, count] of Object.entries(ours)) assert.equal(count, theirs[name], name);
    assert.equal(ours["compact_success"], 19);
  },
  alloc_hugetlb_direct: ({ got, expected }) => {
    const { obtained, firstCompaction, events } = got as GotHugePages;
    const wanted = (expected as { obtained: number }).obtained;
    assert.ok(Math.abs(obtained - wanted) <= wanted * 0.05, `${obtained} of ${wanted}`);
    assert.equal(firstCompaction.equal, firstCompaction.total);
    // Further the kernel's own kswapd comes between, at a moment that is not recorded.
    assert.ok(events.equal >= 300, `only ${events.equal} events are equal`);
  },
};

type GotHugePages = GotHuge & { readonly vmstat_delta: Record<string, number> };

test("all eight recorded patterns are here", () => {
  assert.equal(ids.length, 8, ids.join(" "));
});

for (const id of ids) {
  test(`the record ${id} replays exactly`, async () => {
    const record = await readRecord(id);
    assert.equal(whyNot(record), null);
    const { result, trace } = replayCompaction(record, "compaction");
    assert.equal(result.result, "agree", result.why);
    if (id in huge) {
      huge[id](result);
      return;
    }
    const theirs = isolateEvents(record.trace ?? []);
    assert.ok(theirs.length > 500, `only ${theirs.length} events in the record`);
    assert.deepEqual(isolateEvents(trace), theirs);
    const got = result.got as { vmstat_delta: object; frames: { same: number } };
    assert.deepEqual(got.vmstat_delta, record.vmstatDelta);
    assert.ok(got.frames.same > 5000, `only ${got.frames.same} frames were compared`);
  });
}

test("one huge page less, or a first compaction that parts, would be told apart", async () => {
  const record = await readRecord("alloc_thp_direct");
  const less = replayCompaction({ ...record, hugePagesObtained: 63 }, "compaction").result;
  assert.deepEqual([less.result, less.why], ["differ", "64 huge pages, the kernel's 63"]);
  const parted = replayCompaction(withOneTakenMore(record), "compaction").result;
  assert.equal(parted.result, "differ");
  assert.match(parted.why, /^event \d+ of the first direct compaction$/);
  const vmstatDelta = { ...record.vmstatDelta, compact_free_scanned: 9679 * 1.2 };
  const far = replayCompaction({ ...record, vmstatDelta }, "compaction").result;
  assert.match(far.why, /^compact_free_scanned 9679, the kernel's/);
});

test("a trigger that nobody knows is refused with its text", async () => {
  const record = { ...(await readRecord("keep_1_of_16")), trigger: "a kick" };
  assert.equal(whyNot(record), "no caller for this trigger: a kick");
});

test("a kernel that took one page more would be told apart", async () => {
  const record = await readRecord("keep_1_of_16");
  const { result } = replayCompaction(withOneTakenMore(record), "compaction");
  assert.equal(result.result, "differ");
  assert.match(result.why, /^event \d+: the kernel's migratepages 0x\w+ ~ 0x\w+ took \d+, ours/);
});

test("an owner's page in another frame would be told apart", async () => {
  const record = await readRecord("keep_1_of_16");
  const ownerAfter = record.ownerAfter?.slice() ?? new Int32Array();
  ownerAfter[0]++;
  const { result } = replayCompaction({ ...record, ownerAfter }, "compaction");
  assert.equal(result.result, "differ");
  assert.equal(result.why, "1 pages of the owner in other frames");
});

test("a record whose outcome was withheld runs and is unknown", async () => {
  const record = { ...(await readRecord("keep_1_of_16")), trace: null, ownerAfter: null };
  const { result } = replayCompaction(record, "compaction");
  assert.equal(result.result, "unknown");
  assert.deepEqual((result.got as { vmstat_delta: object }).vmstat_delta, record.vmstatDelta);
});

async function readRecord(id: string): Promise<CompactionRecord> {
  const place = path.join(folder, id);
  return readCompactionRecord(place, await readRecordFolder(place));
}

function withOneTakenMore(record: CompactionRecord): CompactionRecord {
  const events = record.trace ?? [];
  const at = events.findIndex(
    ({ name, text }) => name.endsWith("isolate_migratepages") && !text.endsWith("=0"),
  );
  const event = isolateEvents(events.slice(at, at + 1))[0];
  const text = `range=(${event.range}) nr_scanned=${event.scanned} nr_taken=${event.taken + 1}`;
  return { ...record, trace: events.with(at, { name: events[at].name, text }) };
}

test("a trace line is read as its event alone", () => {
  const line =
    "            frag-172     [000] ...1.     6.8: mm_compaction_isolate_freepages: " +
    "range=(0x10 ~ 0x20) nr_scanned=3 nr_taken=2";
  const wanted: IsolateEvent = { scanner: "freepages", range: "0x10 ~ 0x20", scanned: 3, taken: 2 };
  assert.deepEqual(isolateEvents(parseTrace(`# tracer: nop\n${line}\n`)), [wanted]);
});
