/** These rules need the type checker, and share its slow start. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { root } from "../build/sources.ts";
import { droppedCalls } from "./dropped-calls.ts";
import { nodeGlobals } from "./node-globals.ts";
import { unclearGenerators } from "./points.ts";
import { madeUpProgram, projectProgram } from "./program.ts";

const program = projectProgram();

test("every call that may sleep is run, kept or passed on", () => {
  assert.deepEqual(droppedCalls(program), []);
});

test("every generator of the engine has the same meaning in both builds", () => {
  assert.deepEqual(unclearGenerators(program, ["src"]), []);
});

test("what has to run in a browser uses nothing of Node's", () => {
  assert.deepEqual(nodeGlobals(program), []);
});

const CANARY = "src/migrate/canary.ts";

/** The rule must find the lines that end in a comment, and no other. */
function assertFindsMarked(find: (program: ts.Program) => string[], text: string): void {
  const canary = madeUpProgram(CANARY, text);
  const mistakes = canary
    .getSemanticDiagnostics(canary.getSourceFile(path.join(root, CANARY)))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  assert.deepEqual(mistakes, []);

  const marked = text.split("\n").flatMap((line, i) => (line.endsWith("//!") ? [i + 1] : []));
  const found = find(canary).map((place) => Number(place.slice(CANARY.length + 1).split(":")[0]));
  assert.ok(marked.length > 0);
  assert.deepEqual(
    [...new Set(found)].sort((a, b) => a - b),
    marked,
  );
}

const preamble = `
import type { Blocking, Steps, Suspension } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
declare const queue: WaitQueue;
declare function lock(folio?: number): Blocking<void>;
declare function isBusy(folio: number): Steps<boolean>;
declare function pages(): Generator<number>;
declare const folios: number[];
`;

const callsToSort = `${preamble}
interface Ops { move?: (folio: number) => Steps<void>; later: () => void }
declare const ops: Ops;
declare function after(run: () => void): void;
declare function throws(run: () => unknown): void;

export function* right(): Blocking<void> {
  yield* lock();
  const kept = lock();
  const list = [lock(), lock()];
  let again: Blocking<void> = lock();
  again = list[0] ?? lock();
  runToEnd(lock());
  runToEnd(kept);
  yield* again;
  if (yield* isBusy(1)) yield* folios.length > 0 ? lock() : (lock(2) as Blocking<void>);
  for (const page of [...pages(), 1]) after(() => runToEnd(lock(page)));
  for (const page of pages()) throws(() => runToEnd(lock(page)));
  for (const call of folios.map((folio) => lock(folio))) yield* call;
  const passed = (folio: number): Blocking<void> => lock(folio);
  const table: Ops = { move: isAsked, later() {} };
  const object = { call: lock(), passed, table };
  yield* object.call;
}
function* isAsked(folio: number): Steps<void> { yield* isBusy(folio); }

export function* wrong(): Blocking<void> {
  lock(); //!
  void lock(); //!
  folios.length > 0 && lock(); //!
  lock(), folios.pop(); //!
  folios.pop(), lock(); //!
  if (isBusy(1)) yield* lock(); //!
  while (!isBusy(1)) yield* lock(); //!
  const text = \`\${isBusy(1)}\`; //!
  const both = isBusy(1) && folios.length > 0; //!
  const first = lock().next(); //!
  folios.length > 0 ? lock() : 0; //!
  ops.move?.(1); //!
  (lock() as Blocking<void>); //!
  for (const point of isBusy(1)) folios.push(String(point).length); //!
  const spread = [...lock()]; //!
  folios.forEach((folio) => lock(folio)); //!
  folios.forEach(lock); //!
  folios.forEach((folio) => { lock(folio); }); //!
  folios.forEach(lock.bind(null)); //!
  folios.forEach(function* (folio) { yield* lock(folio); }); //!
  folios.map((folio) => lock(folio)); //!
  const busy = folios.filter((folio) => isBusy(folio)); //!
  const some = folios.some(isBusy); //!
  after(lock); //!
  after(() => lock()); //!
  throws(() => lock()); //!
  const stored: () => void = lock; //!
  const table: Ops = { later: () => lock() }; //!
  const later = lock;
  const methods: Ops = { *later() { yield* lock(); } }; //!
  const nothing: { later: () => void } = { later }; //!
  return void [text, both, first, spread, busy, some, stored, table, methods, nothing];
}

abstract class Shape { abstract run(): void; step(): unknown { return 1; } go(): Steps<void> { return isAsked(1); } }
export class Wrong extends Shape implements Ops {
  *run(): Blocking<void> { yield* lock(); } //!
  override *step(): Steps<void> { yield* isBusy(1); } //!
  override *go(): Steps<void> { yield* isBusy(1); }
  *later(): Blocking<void> { yield* lock(); } //!
}
`;

test("dropped calls are found, and only those", () => {
  assertFindsMarked(droppedCalls, callsToSort);
});

const generatorsToSort = `${preamble}
interface Ops { move?: (folio: number) => Steps<void> }
declare const ops: Ops;
type Move = Blocking<void>;
declare const name: "a point";

export function* right(): Blocking<boolean> {
  yield "a point";
  while (yield* isBusy(1)) yield queue;
  yield* ops.move?.(1) ?? isAsked(1);
  for (const page of numbers()) yield* lock(page);
  return folios.length > 0 ? yield* isBusy(1) : (yield* isBusy(2));
}
function* isAsked(folio: number): Steps<void> { yield* isBusy(folio); }
function* numbers(): Generator<number> { yield 1; yield* pages(); yield* [2]; }

export function* unnamed() { yield 1; } //!
function* spelledOut(): Generator<Suspension, void, void> { yield queue; } //!
function* renamed(): Move { yield queue; } //!
export function* iterator(): IterableIterator<string | WaitQueue> { yield* lock(); } //!
export function* wrong(): Blocking<unknown> {
  yield name; //!
  yield* spelledOut();
  yield* renamed();
  return yield* (yield* isBusy(1)) ? "yes" : "no"; //!
}
export function other(): unknown {
  type Steps<T> = Generator<string, T, void>;
  function* impostor(): Steps<void> { yield "a point"; } //!
  return impostor();
}
`;

test("generators that the builds would see differently are found, and only those", () => {
  const find = (canary: ts.Program): string[] => unclearGenerators(canary, ["src/migrate"]);
  assertFindsMarked(find, generatorsToSort);
});

test("a point that is no string literal is found by what the plain build says", () => {
  const text = `${preamble}export function* f(): Steps<void> { yield \`a point\`; }\n`;
  const found = unclearGenerators(madeUpProgram(CANARY, text), ["src/migrate"]);
  assert.match(found[0], /canary\.ts:10: a preemption point that is not a string literal/);
});

const globalsToSort = `
interface Process { readonly env: string }
export function right(process: Process, url: URL): string {
  const Buffer = new TextDecoder();
  return process.env + Buffer.decode(new Uint8Array(4)) + url.href + import.meta.url;
}
export function wrong(): unknown[] {
  const bytes = Buffer.alloc(4); //!
  const where = import.meta.dirname; //!
  const later: NodeJS.Timeout | null = null; //!
  setImmediate(() => {}); //!
  const environment = process.env; //!
  const again = globalThis.process; //!
  return [bytes, where, later, environment, again];
}
`;

test("globals of Node are found, and only those", () => {
  assertFindsMarked(nodeGlobals, globalsToSort);
});
