/** Every recorded compaction that can be run here gives the kernel's events and frames. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { readRecordFolder } from "../src/host/record-files.ts";
import { type CompactionRecord, readCompactionRecord } from "../src/replay/compaction-record.ts";
import { type IsolateEvent, isolateEvents, parseTrace } from "../src/replay/kernel-trace.ts";
import { replayCompaction, whyNot } from "../src/replay/replay-compaction.ts";

const folder = path.resolve(import.meta.dirname, "../records/compaction");
const ids = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

for (const id of ids) {
  test(`the record ${id} replays exactly, or says why it cannot`, async () => {
    const record = await readRecord(id);
    const why = whyNot(record);
    if (why !== null) {
      assert.match(why, /no caller yet for this trigger: instead of compact_memory/);
      return;
    }
    const { result, trace } = replayCompaction(record, "compaction");
    assert.equal(result.result, "agree", result.why);
    const theirs = isolateEvents(record.trace ?? []);
    assert.ok(theirs.length > 500, `only ${theirs.length} events in the record`);
    assert.deepEqual(isolateEvents(trace), theirs);
    const got = result.got as { vmstat_delta: object; frames: { same: number } };
    assert.deepEqual(got.vmstat_delta, record.vmstatDelta);
    assert.ok(got.frames.same > 5000, `only ${got.frames.same} frames were compared`);
  });
}

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
