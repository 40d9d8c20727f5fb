/** Sentences about transparent huge pages: mapped whole, in part, shared, pinned. */
import { runToEnd } from "../../sched/run.ts";
import { VM } from "../../vm/mm.ts";
import { HUGE_PAGES } from "../../vm/page-tables.ts";
import { protectRange } from "../../vm/protect.ts";
import { unmapRange } from "../../vm/zap.ts";
import { mapHuge, mapHugeShmem } from "../huge-regions.ts";
import { current, type Sentence, sentence } from "./sentence.ts";

export const HUGE_PAGE_SENTENCES: readonly Sentence[] = [
  sentence(
    "^NAME = one 2MiB THP \\(MADV_HUGEPAGE\\) written on node(?<node>\\d)$",
    (world, { name, node }) => void mapHuge(world, name, Number(node)),
  ),
  sentence("^addresses from subpage \\d+ count \\d+$", () => {}),
  sentence("^NAME (?:one )?THP node(?<node>\\d)(?:, parent\\+child)?$", (world, { name, node }) => {
    mapHuge(world, name, Number(node));
  }),
  sentence(
    "^mprotect\\(NAME\\[(?<page>\\d+)\\],PROT_READ\\) splits the PMD, compound page stays$",
    (world, { name, page }) => {
      const { mm, startVpn } = world.region(name);
      const vpn = startVpn + Number(page);
      runToEnd(protectRange(world.machine.vm, mm, vpn, vpn + 1, VM.read));
    },
  ),
  sentence("^munmap upper half$", (world) => {
    const { mm, startVpn, pages } = current(world);
    const middle = startVpn + pages / 2;
    runToEnd(unmapRange(world.machine.vm, mm, middle, startVpn + pages));
  }),
  sentence(
    "^memfd (?<mib>\\d+)MiB MAP_SHARED at 2MiB alignment, MADV_HUGEPAGE, " +
      "first 2MiB written node(?<node>\\d)$",
    (world, { mib, node }) => {
      mapHugeShmem(world, world.onlyName, Number(mib) * (HUGE_PAGES / 2), Number(node));
    },
  ),
];
