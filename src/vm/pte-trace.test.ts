import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../events/events.ts";
import { PTE } from "./pte.ts";
import { tracePmd, tracePte, x86Pte } from "./pte-trace.ts";

const { present, write, young, dirty, softDirty } = PTE;
const { migrationRead, migrationReadExclusive, migrationWrite } = PTE;

test("entries come out as a 6.1 kernel printed them for the same frames", () => {
  const kept = young | dirty | softDirty;
  assert.equal(x86Pte(0x1e21, migrationWrite | kept), 0xeff9ffffffc3bc02n);
  assert.equal(x86Pte(0x1e20, migrationWrite | kept), 0xeff9ffffffc3be02n);
  assert.equal(x86Pte(0x1241f, present | write | kept), 0x800000001241f867n);
});

test("a present entry has one bit for each of ours", () => {
  const base = 0x8000000000001005n;
  assert.equal(x86Pte(1, present), base);
  assert.equal(x86Pte(1, present | write), base | 0x2n);
  assert.equal(x86Pte(1, present | young), base | 0x20n);
  assert.equal(x86Pte(1, present | dirty), base | 0x40n);
  assert.equal(x86Pte(1, present | softDirty), base | 0x800n);
});

test("a migration entry has the kind in its top five bits and the frame inverted", () => {
  for (const [kind, type] of [
    [migrationRead, 27n],
    [migrationReadExclusive, 28n],
    [migrationWrite, 29n],
  ] as const) {
    const pte = x86Pte(0x12345, kind | young);
    assert.equal(pte >> 59n, type);
    const offset = ~(pte >> 9n) & ((1n << 50n) - 1n);
    assert.equal(offset & ((1n << 40n) - 1n), 0x12345n);
    assert.equal(offset >> 40n, 1n, "young, not dirty");
    assert.equal(pte & 1n, 0n, "not present");
  }
});

test("an event has the address and the entry in hexadecimal", () => {
  const trace = new TraceLines();
  const bits = migrationWrite | young | dirty | softDirty;
  tracePte(trace, "set_migration_pte", 0x7ff67b7b3, 0x1e21, bits, 0);
  assert.deepEqual(trace.lines, [
    "set_migration_pte: addr=7ff67b7b3000, pte=eff9ffffffc3bc02 order=0",
  ]);
});

test("a huge entry's event has no order, and a present one says that it is huge", () => {
  const trace = new TraceLines();
  const { huge, present, write } = PTE;
  tracePmd(trace, "set_migration_pmd", 0x7ff67b600, 0x1e00, migrationWrite | young | huge);
  tracePmd(trace, "remove_migration_pmd", 0x7ff67b600, 0x3600, present | write | young | huge);
  assert.deepEqual(trace.lines, [
    "set_migration_pmd: addr=7ff67b600000, pmd=effdffffffc3fe00",
    "remove_migration_pmd: addr=7ff67b600000, pmd=80000000036000a7",
  ]);
});
