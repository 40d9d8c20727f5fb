/**
 * The stable tree: merged pages by their contents, and whose mappings each has.
 *
 * A node outlives its page, since nobody tells it that the last mapping went; whoever wants the
 * page looks whether it is still the node's (`getKsmFolio`), and drops a node that is stale.
 *
 * An item is added and taken out under the lock of the merged folio, or while nobody has it: then
 * no walk of its mappings is under way. Linux: `stable_tree_insert()`, `get_ksm_page()`, mm/ksm.c,
 * 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioLock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut, folioTryGet } from "../../memory/folio-ref.ts";
import { MAPPING_FLAGS, MAPPING_KSM, mappingId, mappingWord } from "../../memory/mapping-word.ts";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import type { Mm } from "../mm.ts";
import { putAnonVma } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { type Ksm, RmapItem, StableNode } from "./ksm.ts";

/** The item of a virtual page, made when it is first looked at. */
export function rmapItem(ksm: Ksm, mm: Mm, vpn: number): RmapItem {
  let ofMm = ksm.items.get(mm);
  if (ofMm === undefined) {
    ofMm = new Map();
    ksm.items.set(mm, ofMm);
  }
  const known = ofMm.get(vpn);
  if (known !== undefined) return known;
  const item = new RmapItem(mm, vpn);
  ofMm.set(vpn, item);
  return item;
}

/** The node of a merged folio; null while it has none yet. Linux: `folio_stable_node()`. */
export function folioStableNode(vm: Vm, folio: Folio): StableNode | null {
  const word = vm.mem.mapping[folio];
  // The bits alone: a folio that is being made a merged one, or has just moved away.
  if ((word & MAPPING_FLAGS) !== MAPPING_KSM || word === MAPPING_KSM) return null;
  return vm.ksm.nodes[mappingId(word)] ?? null;
}

/** A merged folio joins the stable tree. Linux: `stable_tree_insert()`. */
export function stableTreeInsert({ ksm, mem }: Vm, folio: Folio, checksum: number): StableNode {
  const node = new StableNode(ksm.nodes.length, checksum);
  ksm.nodes.push(node);
  mem.ksmFolios[node.id] = folio;
  mem.mapping[folio] = mappingWord(node.id, MAPPING_KSM);
  const equals = ksm.stable.get(checksum);
  if (equals === undefined) ksm.stable.set(checksum, [node]);
  else equals.push(node);
  return node;
}

/** One more mapping of the node's page, by `item`. Linux: `stable_tree_append()`. */
export function stableTreeAppend(node: StableNode, item: RmapItem): void {
  assert(item.node === null, "a page that is merged already:", item.mm.name, item.vpn);
  item.node = node;
  node.items = [item, ...node.items];
}

/**
 * The item is in neither tree any more. For an item of a merged page the page is locked, so that no
 * walk of its reverse map is under way: a move would not find the entries that it has set.
 * Linux: `remove_rmap_item_from_tree()`.
 */
export function* removeFromTreeLocked(vm: Vm, item: RmapItem): Blocking<void> {
  const { mem } = vm;
  while (item.node !== null) {
    const folio = yield* getKsmFolio(vm, item.node);
    if (folio === null) break;
    yield* folioLock(mem, folio);
    const isStill = item.node !== null && folioStableNode(vm, folio) === item.node;
    if (isStill) removeFromTree(vm, item);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
    if (isStill) return;
  }
  removeFromTree(vm, item);
}

/** By who knows that no walk relies on the item. */
export function removeFromTree(vm: Vm, item: RmapItem): void {
  const { node, anonVma, checksum } = item;
  const { unstable } = vm.ksm;
  if (checksum !== null && unstable.get(checksum) === item) unstable.delete(checksum);
  if (node !== null) node.items = node.items.filter((other) => other !== item);
  if (anonVma !== null) putAnonVma(vm, anonVma);
  item.node = null;
  item.anonVma = null;
}

/** Forgets a node whose page is gone, its items too. Linux: `remove_node_from_stable_tree()`. */
function removeNode(vm: Vm, node: StableNode): void {
  const { ksm, mem } = vm;
  for (const item of node.items) removeFromTree(vm, item);
  ksm.nodes[node.id] = undefined;
  delete mem.ksmFolios[node.id];
  const others = ksm.stable.get(node.checksum)?.filter((other) => other !== node) ?? [];
  if (others.length === 0) ksm.stable.delete(node.checksum);
  else ksm.stable.set(node.checksum, others);
}

/** Forgets what is known of a virtual page. */
export function* forgetItem(vm: Vm, mm: Mm, vpn: number): Blocking<void> {
  const items = vm.ksm.items.get(mm);
  const item = items?.get(vpn);
  if (item === undefined) return;
  items?.delete(vpn);
  vm.ksm.leaving.push(item);
  yield* removeFromTreeLocked(vm, item);
  vm.ksm.leaving = vm.ksm.leaving.filter((other) => other !== item);
}

/**
 * Forgets a process that ends, before its memory goes. What is locked is left to the next who
 * calls `forgetLeaving`. Linux: `ksm_exit()`, which leaves all of it to ksmd.
 */
export function ksmExit(vm: Vm, mm: Mm): void {
  const items = vm.ksm.items.get(mm);
  if (items !== undefined) vm.ksm.leaving.push(...items.values());
  vm.ksm.items.delete(mm);
  forgetLeaving(vm);
}

/** Forgets those whose page is not locked, by a move or by ksmd. */
export function forgetLeaving(vm: Vm): void {
  const { mem, ksm } = vm;
  if (ksm.leaving.length === 0) return;
  const isLocked = ({ node }: RmapItem): boolean =>
    node !== null && testFlag(mem, mem.ksmFolios[node.id], PG.locked);
  for (const item of ksm.leaving) if (!isLocked(item)) removeFromTree(vm, item);
  ksm.leaving = ksm.leaving.filter(isLocked);
}

/**
 * The folio of a node, with a reference more; null, and no node any more, if it is gone.
 *
 * Linux: `get_ksm_page()`.
 */
export function* getKsmFolio(vm: Vm, node: StableNode): Steps<Folio | null> {
  const { mem } = vm;
  const isNodes = (folio: Folio): boolean => folioStableNode(vm, folio) === node;
  for (;;) {
    const folio = mem.ksmFolios[node.id];
    const wasNodes = isNodes(folio);
    yield "ksm-frame-looked-at";
    if (wasNodes && folioTryGet(mem, folio)) {
      // Freed meanwhile, it may be another's by now.
      if (isNodes(folio)) return folio;
      folioPut(mem, folio);
    }
    // Moved meanwhile, it is where the node says now.
    if (mem.ksmFolios[node.id] === folio) break;
  }
  removeNode(vm, node);
  return null;
}
