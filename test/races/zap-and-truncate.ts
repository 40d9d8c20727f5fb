/** A file is cut off while a process that has written to its page gives the page up. */
import assert from "node:assert/strict";
import { MemoryDevice } from "../../src/pagecache/device/block-device.ts";
import { smallFile } from "../../src/pagecache/small-file.ts";
import { truncateFile } from "../../src/pagecache/truncate.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { writeUser } from "../../src/vm/fault.ts";
import { PTE } from "../../src/vm/pte.ts";
import { cachedFolio, mapFilePage } from "../../src/vm/small-vm.ts";
import { zapRange } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

function giveUpAndCutOff(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const file = smallFile(vm.cache, new MemoryDevice(mem), 1);
  const page = mapFilePage(vm, file, cachedFolio(vm, file, 0, 1));
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn, 0, 2)), "done");
  assert.ok((vm.tables.bits(page.entry) & PTE.dirty) !== 0, "the entry alone knows of the write");
  function* giveUp(): Blocking<string> {
    yield* zapRange(vm, page.vma, page.vpn, page.vpn + 1);
    return "given up";
  }
  function* cutOff(): Blocking<string> {
    yield "cutter-begins";
    const outcome = yield* truncateFile(mem, file, 0);
    assert.equal(file.folios.pageCount, 0);
    return outcome;
  }
  world.addTask("process", giveUp());
  world.addTask("cutter", cutOff());
  return { tasks: world.tasks, check: () => world.finish(), outcome: () => world.outcome() };
}

export const zapAndTruncateRaces: readonly Race[] = [
  {
    name: "a written page is given up and cut off, one after the other, and counted as dirty by neither",
    start: giveUpAndCutOff,
    schedules: 10,
    outcomes: ["given up, done"],
    mutants: [
      {
        what: "an entry is zapped while another tells the file of the write that it knows of",
        file: "src/vm/zap.ts",
        text: "    if (pageTableLock.held) yield* pageTableLock.wait();\n",
        replacement: "",
        says: /dirty pages of files, counted -1|spin lock/,
      },
    ],
  },
];
