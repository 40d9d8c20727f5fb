/**
 * A file that processes map: what the soak knows of it, whoever owns its pages.
 *
 * Cutting the file off makes zeros of what lies behind the cut. While that is under way nobody
 * knows which of two contents such a page has, and what is written there counts for nothing.
 */
import { assert } from "../src/base/assert.ts";
import { PAGE_SIZE } from "../src/memory/constants.ts";
import type { AddressSpace } from "../src/pagecache/address-space.ts";
import { punchHole, truncateFile } from "../src/pagecache/truncate.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import type { Shadow } from "./shadow.ts";
import type { World } from "./world.ts";

export interface MappedFile {
  readonly name: string;
  readonly pages: number;
  readonly isWritable: boolean;
  readonly mapping: AddressSpace;
  readonly shadow: Shadow;
  /** First page that is being cut off, or `pages`. */
  cutFrom: number;
}

/** Has the file cut off and grown again, over and over; `clear` frees storage from a page on. */
export function addCutter(world: World, file: MappedFile, clear: (fromPage: number) => void): void {
  world.scheduler.addWorker(`cutter of ${file.name}`, 0, () => cutAndGrow(world, file, clear));
}

function* cutAndGrow(
  { mem, random }: World,
  file: MappedFile,
  clear: (fromPage: number) => void,
): Blocking<"again"> {
  const { mapping, pages, shadow } = file;
  for (let at = random.below(400); at > 0; at--) yield "cutter-waits";
  const isCut = file.cutFrom < pages;
  if (!isCut) file.cutFrom = random.below(pages);
  const from = file.cutFrom;
  const cut = isCut
    ? yield* punchHole(mem, mapping, from * PAGE_SIZE, pages * PAGE_SIZE)
    : yield* truncateFile(mem, mapping, from * PAGE_SIZE);
  assert(cut === "done", `${file.name}: cutting it off ended in`, cut);
  // A folio over the border that could not be split is still there, with what was written behind
  // the border before its entries went: the next time it is cut off again.
  if (mapping.folios.find(from, pages - 1) !== null) return "again";
  shadow.clear(from, pages);
  clear(from);
  file.cutFrom = pages;
  for (let at = random.below(40); at > 0; at--) yield "cutter-waits";
  const grown = yield* truncateFile(mem, mapping, pages * PAGE_SIZE);
  assert(grown === "done", `${file.name}: growing it ended in`, grown);
  return "again";
}
