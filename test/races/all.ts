/** Every race, for the tests that try them and for the builds of their mutants. */
import { allocationRaces } from "./allocation.ts";
import { fileWritersRaces } from "./file-writers.ts";
import { folioLockRaces } from "./folio-lock.ts";
import { hugetlbRaces } from "./hugetlb.ts";
import { isolationRaces } from "./isolation.ts";
import { ksmRaces } from "./ksm.ts";
import { ksmAndSwapRaces } from "./ksm-and-swap.ts";
import { movableRaces } from "./movable.ts";
import { moveAndBlocksRaces } from "./move-and-blocks.ts";
import { moveAndBuffersRaces } from "./move-and-buffers.ts";
import { moveAndFileRaces } from "./move-and-file.ts";
import { moveAndForkRaces } from "./move-and-fork.ts";
import { moveAndHoldersRaces } from "./move-and-holders.ts";
import { moveAndPinRaces } from "./move-and-pin.ts";
import { moveAndProtectRaces } from "./move-and-protect.ts";
import { moveAndReadRaces } from "./move-and-read.ts";
import { moveAndRemapRaces } from "./move-and-remap.ts";
import { moveAndSplitRaces } from "./move-and-split.ts";
import { moveAndSwapRaces } from "./move-and-swap.ts";
import { moveAndUnmapRaces } from "./move-and-unmap.ts";
import { moveAndUseRaces } from "./move-and-use.ts";
import { moveHugeRaces } from "./move-huge.ts";
import { moveInBatchesRaces } from "./move-in-batches.ts";
import type { Race } from "./race.ts";
import { reclaimRaces } from "./reclaim.ts";
import { shmemRaces } from "./shmem.ts";
import { staleTranslationRaces } from "./stale-translations.ts";
import { swapReadaheadRaces } from "./swap-readahead.ts";
import { truncateLargeRaces } from "./truncate-large.ts";
import { twoMovesRaces } from "./two-moves.ts";
import { zapAndTruncateRaces } from "./zap-and-truncate.ts";

export { exploreRace, findFailure, replayRace, runInEveryOrder } from "./race.ts";

export const allRaces: readonly Race[] = [
  ...folioLockRaces,
  ...allocationRaces,
  ...isolationRaces,
  ...moveAndUseRaces,
  ...moveAndPinRaces,
  ...moveAndHoldersRaces,
  ...twoMovesRaces,
  ...reclaimRaces,
  ...moveAndUnmapRaces,
  ...moveAndRemapRaces,
  ...moveAndProtectRaces,
  ...ksmRaces,
  ...staleTranslationRaces,
  ...moveAndForkRaces,
  ...moveAndSplitRaces,
  ...moveInBatchesRaces,
  ...moveAndBlocksRaces,
  ...moveAndBuffersRaces,
  ...moveAndFileRaces,
  ...moveAndReadRaces,
  ...moveHugeRaces,
  ...movableRaces,
  ...moveAndSwapRaces,
  ...hugetlbRaces,
  ...zapAndTruncateRaces,
  ...shmemRaces,
  ...ksmAndSwapRaces,
  ...truncateLargeRaces,
  ...swapReadaheadRaces,
  ...fileWritersRaces,
];
