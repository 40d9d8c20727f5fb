/** One page of a file goes to its device, as the flusher sends it. */
import { assert } from "../src/base/assert.ts";
import { folioLock, folioUnlock } from "../src/memory/folio-lock.ts";
import { folioPut } from "../src/memory/folio-ref.ts";
import { PG } from "../src/memory/page-flags.ts";
import type { AddressSpace } from "../src/pagecache/address-space.ts";
import { filemapGetFolio } from "../src/pagecache/page-cache.ts";
import { isInFile } from "../src/pagecache/read.ts";
import { folioClearDirtyForIo } from "../src/pagecache/writeback.ts";
import type { Blocking } from "../src/sched/blocking.ts";
import type { World } from "./world.ts";

/** Begins to write the page if it is cached and dirty, and no write of it is under way. */
export function* writeOut(world: World, mapping: AddressSpace, offset: number): Blocking<void> {
  const { mem } = world;
  const folio = yield* filemapGetFolio(mem, mapping, offset);
  if (folio === null) return;
  world.hold(folio, 1);
  yield* folioLock(mem, folio);
  const isReady = isInFile(mem, mapping, folio) && (mem.flags[folio] & PG.writeback) === 0;
  const { writepage } = mapping.ops;
  assert(writepage !== undefined, "a file that cannot be written:", mapping.name);
  if (isReady && (yield* folioClearDirtyForIo(mem, mapping, folio))) {
    yield* writepage(mem, mapping, folio, "none");
  } else {
    folioUnlock(mem, folio);
  }
  world.hold(folio, -1);
  folioPut(mem, folio);
}
