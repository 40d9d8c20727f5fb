/**
 * What a machine looked like when it was last looked at, and what has changed since.
 *
 * Copies the columns that tell of a folio, a digest of each frame's contents, and the entries of
 * page tables. Meant for the one run that is told, not for the thousands that are searched. What
 * the allocator does to free frames (splits and merges of blocks) is no change of any folio.
 */
import type { Machine } from "../../machine/machine.ts";
import { type Frames, PAGE_WORDS } from "../../memory/frames.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { NO_ENTRY } from "../../vm/page-tables.ts";
import { PTE, PTE_MIGRATION } from "../../vm/pte.ts";
import type { Vm } from "../../vm/vm.ts";
import { entryText, flagNames, mappingText } from "./folio-words.ts";
import type { FieldChange, FolioChange, FolioState } from "./story.ts";

/** Virtual pages of one VMA that are looked at. */
const VMA_PAGES_MAX = 1024;

/** Copies of the columns that tell of a folio. */
interface Columns {
  readonly flags: Int32Array;
  readonly refcount: Int32Array;
  readonly mapcount: Int32Array;
  readonly mapping: Int32Array;
  readonly index: Int32Array;
  readonly private: Int32Array;
  /** A number for each frame that changes with any of its bytes, but for bad luck. */
  readonly digest: Int32Array;
}

/** One entry of a page table: whose it is, the folio that it names, and what it says. */
interface Entry {
  readonly pfn: number;
  readonly text: string;
}

export class MachineView {
  /** From 1, among the scenario's machines. */
  readonly number: number;
  readonly machine: Machine;
  private readonly first: Columns;
  private columns: Columns;
  private entries: Map<string, Entry>;

  constructor(machine: Machine, number: number) {
    this.machine = machine;
    this.number = number;
    this.first = columnsOf(machine);
    this.columns = this.first;
    this.entries = entriesOf(machine);
  }

  /** What changed since the last look, by folio. */
  look(): FolioChange[] {
    const { machine, number } = this;
    const [before, after] = [this.columns, columnsOf(machine)];
    const entries = entriesOf(machine);
    const ofEntries = entryChanges(this.entries, entries);
    const changes: FolioChange[] = [];
    // -1: entries that name no frame.
    for (let pfn = -1; pfn < machine.mem.pageCount; pfn++) {
      const fields = pfn < 0 ? [] : fieldChanges(machine.vm, before, after, pfn);
      fields.push(...(ofEntries.get(pfn) ?? []));
      if (fields.length > 0) changes.push({ machine: number, pfn, fields });
    }
    this.columns = after;
    this.entries = entries;
    return changes;
  }

  /** The folio as it was at the first look. */
  stateAtFirst(pfn: number): FolioState {
    const { first, machine, number } = this;
    if (isFree(first, pfn)) return { machine: number, pfn, text: "free" };
    const { refcount, mapping, flags } = fieldsOf(machine.vm, first, pfn);
    const parts = [`refcount ${refcount}`, `mapping ${mapping}`, flags];
    return { machine: number, pfn, text: parts.filter((part) => part !== "").join(", ") };
  }

  /** Where the folio belongs, as a key; "" if nowhere. */
  place(pfn: number): string {
    const { mapping, index } = this.columns;
    const word = pfn < 0 ? 0 : mapping[pfn];
    return word === 0 ? "" : `${this.number}:${word}:${index[pfn]}`;
  }
}

function columnsOf({ mem }: Machine): Columns {
  const { pageCount } = mem;
  return {
    flags: mem.flags.slice(),
    refcount: mem.refcount.slice(),
    mapcount: mem.mapcount.slice(),
    mapping: mem.mapping.slice(),
    index: mem.index.slice(),
    private: mem.private.slice(),
    digest: new Int32Array(pageCount).map((_, pfn) => digestOf(mem.frames, pfn as Pfn)),
  };
}

function digestOf(frames: Frames, pfn: Pfn): number {
  if (frames.contents === "tokens") return frames.readWord(pfn, 0);
  let digest = 0;
  for (let word = 0; word < PAGE_WORDS; word++) {
    digest = Math.imul(digest ^ frames.readWord(pfn, word), 0x0100_0193) ^ word;
  }
  return digest;
}

function isFree({ flags, refcount, mapping }: Columns, pfn: number): boolean {
  return refcount[pfn] === 0 && mapping[pfn] === 0 && (flags[pfn] & ~PG.buddy) === 0;
}

/** What the columns say of one frame. */
function fieldsOf(vm: Vm, columns: Columns, pfn: number): Record<string, string> {
  const { flags, refcount, mapcount, mapping, index } = columns;
  return {
    refcount: `${refcount[pfn]}`,
    mapcount: `${mapcount[pfn]}`,
    flags: flagNames(flags[pfn], mapping[pfn]).join(" "),
    mapping: mappingText(vm, mapping[pfn]),
    index: `${index[pfn]}`,
    private: `${columns.private[pfn]}`,
  };
}

/** What they would say of a new folio that says nothing. */
const EMPTY_FIELDS: Readonly<Record<string, string>> = {
  refcount: "0",
  mapcount: "0",
  flags: "",
  mapping: "none",
  index: "0",
  private: "0",
};

const BYTES_CHANGED: FieldChange = { what: "contents", from: "", to: "changed" };

/** Without anything where nothing is to be told. */
function fieldChanges(vm: Vm, before: Columns, after: Columns, pfn: number): FieldChange[] {
  const hasNewBytes = before.digest[pfn] !== after.digest[pfn];
  const [wasFree, nowFree] = [isFree(before, pfn), isFree(after, pfn)];
  if (wasFree && nowFree) {
    return hasNewBytes ? [{ what: "contents", from: "free", to: "written while free" }] : [];
  }
  // The state of a tail is its head's.
  if (((before.flags[pfn] | after.flags[pfn]) & PG.tail) !== 0) {
    return hasNewBytes && !nowFree ? [BYTES_CHANGED] : [];
  }
  if (nowFree) return [{ what: "state", from: "in use", to: "free" }];
  const fields: FieldChange[] = [];
  const isNew = wasFree && after.refcount[pfn] > 0;
  if (isNew) fields.push({ what: "state", from: "free", to: "in use" });
  const differ = wordsDiffer(before, after, pfn);
  const old = isNew ? EMPTY_FIELDS : fieldsOf(vm, before, pfn);
  for (const [what, to] of Object.entries(differ ? fieldsOf(vm, after, pfn) : {})) {
    if (old[what] !== to) fields.push({ what, from: old[what], to });
  }
  if (hasNewBytes) fields.push(BYTES_CHANGED);
  return fields;
}

function wordsDiffer(a: Columns, b: Columns, pfn: number): boolean {
  return (
    a.flags[pfn] !== b.flags[pfn] ||
    a.refcount[pfn] !== b.refcount[pfn] ||
    a.mapcount[pfn] !== b.mapcount[pfn] ||
    a.mapping[pfn] !== b.mapping[pfn] ||
    a.index[pfn] !== b.index[pfn] ||
    a.private[pfn] !== b.private[pfn]
  );
}

/** By process and virtual page. */
function entriesOf({ vm }: Machine): Map<string, Entry> {
  const { tables } = vm;
  const entries = new Map<string, Entry>();
  for (const mm of vm.mms) {
    for (const { startVpn, endVpn } of mm?.vmas ?? []) {
      for (let vpn = startVpn; vpn < Math.min(endVpn, startVpn + VMA_PAGES_MAX); vpn++) {
        const entry = mm?.directory.find(vpn) ?? NO_ENTRY;
        const bits = entry === NO_ENTRY ? 0 : tables.bits(entry);
        if (bits === 0) continue;
        const pfn = tables.pfn(entry);
        const isOfFolio = (bits & (PTE.present | PTE_MIGRATION)) !== 0;
        const text = entryText(pfn, bits);
        entries.set(`entry of ${mm?.name} at ${vpn}`, { pfn: isOfFolio ? pfn : -1, text });
      }
    }
  }
  return entries;
}

/** By the folio that the entry names now, else by the one that it named. */
function entryChanges(
  before: ReadonlyMap<string, Entry>,
  after: ReadonlyMap<string, Entry>,
): Map<number, FieldChange[]> {
  const changes = new Map<number, FieldChange[]>();
  for (const what of new Set([...before.keys(), ...after.keys()])) {
    const from = before.get(what);
    const to = after.get(what);
    if (from?.text === to?.text) continue;
    const pfn = to === undefined || to.pfn < 0 ? (from?.pfn ?? -1) : to.pfn;
    const list = changes.get(pfn) ?? [];
    list.push({ what, from: from?.text ?? "none", to: to?.text ?? "none" });
    changes.set(pfn, list);
  }
  return changes;
}
