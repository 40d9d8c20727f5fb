import assert from "node:assert/strict";
import { test } from "node:test";
import { transformSync } from "esbuild";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { toPlain } from "./plain.ts";

test("the star, yield* and the points go", () => {
  const source = 'function* f(): Steps<number> { yield "here"; return yield* g(1); }';
  assert.equal(toPlain(source, "f.ts"), "function  f(): Steps<number> { ; return ( g(1)); }");
});

test("a sleep becomes the queue's refusal", () => {
  const source = "function* f(): Blocking<void> { while (busy()) yield queue; }";
  const plain = "function  f(): Blocking<void> { while (busy()) void ( queue).wouldSleep(); }";
  assert.equal(toPlain(source, "f.ts"), plain);
});

test("a yield* that begins a statement cannot continue the line before it", () => {
  const source = "function* f(): Steps<void> {\n  a = b\n  yield* (c)(), d()\n}";
  assert.match(toPlain(source, "f.ts"), /a = b\n {2}void \( \(c\)\(\)\), d\(\)\n/);
});

test("a point that is the whole branch leaves an empty statement", () => {
  const source = 'function* f(): Steps<void> { if (x) yield "p"; else g(); }';
  assert.equal(toPlain(source, "f.ts"), "function  f(): Steps<void> { if (x) ; else g(); }");
});

test("generators of other types are left alone", () => {
  const untouched = [
    "function* f() { yield 1; yield* g(); }",
    "function* f(): Generator<number> { yield 1; }",
    "class A { *[Symbol.iterator](): IterableIterator<number> { const x = yield 1; } }",
    "function* f(): Promise<Steps<void>> { yield; }",
    "async function* f(): AsyncGenerator<Steps<void>> { yield g(); }",
    'const text = "function* f(): Steps<void> { yield 1; }";',
  ];
  for (const source of untouched) assert.equal(toPlain(source, "f.ts"), source);
});

test("a generator inside a Steps function keeps its own yields", () => {
  const inner = "const each = function* () { yield 1; };";
  const source = `function* f(): Steps<void> { ${inner} yield* g(each()); }`;
  const plain = `function  f(): Steps<void> { ${inner} void ( g(each())); }`;
  assert.equal(toPlain(source, "f.ts"), plain);
});

test("a Steps function inside an ordinary generator becomes plain", () => {
  const source = "function* f() { function* g(): Steps<void> { yield* h(); } yield 1; }";
  const plain = "function* f() { function  g(): Steps<void> { void ( h()); } yield 1; }";
  assert.equal(toPlain(source, "f.ts"), plain);
});

test("every line keeps its number", () => {
  const source =
    'function*\nf(): Steps<void> {\n  yield "a"\n  ;\n  return yield*\n    g(\n1);\n}\n';
  const lines = toPlain(source, "f.ts").split("\n");
  assert.equal(lines.length, source.split("\n").length);
  assert.deepEqual(lines.slice(4, 7), ["  return (", "    g(", "1));"]);
});

test("a misused yield is an error that says where", () => {
  const misused = {
    "const x = yield queue;": "a yield that is not a statement",
    'const x = yield "point";': "a yield that is not a statement",
    'f(yield "point");': "a yield that is not a statement",
    "yield;": "a bare yield",
    "yield `point`;": "a preemption point that is not a string literal",
    "yield `point ${n}`;": "a preemption point that is not a string literal",
  };
  for (const [statement, what] of Object.entries(misused)) {
    const source = `// first line\nfunction* f(): Blocking<void> {\n  ${statement}\n}`;
    assert.throws(
      () => toPlain(source, "room/file.ts"),
      (error: Error) => error.message.startsWith(`room/file.ts:3: ${what}`),
      statement,
    );
  }
});

/** Each defines `main`, which returns a value or throws; `log` records what happened on the way. */
const programs: Readonly<Record<string, string>> = {
  "values pass through levels": `
    function* leaf(n: number): Steps<number> { yield "leaf"; log(n); return n + 1; }
    function* middle(n: number): Blocking<number> {
      return (yield* leaf(n)) * 10 + (yield* leaf(yield* leaf(n)));
    }
    function* main(): Blocking<number> { return yield* middle(3); }`,
  "loops, conditions and short circuits": `
    function* even(n: number): Steps<boolean> { yield "test"; log(n); return n % 2 === 0; }
    function* main(): Steps<string> {
      let sum = 0;
      for (let i = 0; i < 5; i++) { if (!(yield* even(i))) continue; sum += i; yield "added"; }
      while (!((yield* even(sum)) && sum > 3)) sum++;
      do yield "once"; while (false);
      const both = (yield* even(1)) || (yield* even(2)) ? "yes" : "no";
      return both + sum + ((yield* even(7)) ? "x" : "y");
    }`,
  "finally runs on return and on throw": `
    function* unlock(name: string): Steps<void> { yield "unlock"; log("unlock", name); }
    function* guarded(fail: boolean): Steps<number> {
      try {
        yield "inside";
        if (fail) throw new Error("refused");
        return 7;
      } catch (error) {
        log("caught", (error as Error).message);
        throw error;
      } finally {
        yield* unlock(fail ? "late" : "early");
      }
    }
    function* main(): Blocking<number> {
      const first = yield* guarded(false);
      log(first);
      return yield* guarded(true);
    }`,
  "methods of classes and of tables keep this": `
    class Counter {
      count = 0;
      static *of(n: number): Steps<Counter> { yield "made"; const c = new Counter(); c.count = n; return c; }
      *add(n: number): Steps<number> { yield "add"; this.count += n; return this.count; }
      *["twice"](): Steps<number> { yield* this.add(1); return yield* this.add(1); }
      get shown(): string { return "count " + this.count; }
    }
    const table = {
      base: 5,
      *run(c: Counter): Blocking<string> { yield* c.add(this.base); return c.shown; },
      late: function* (c: Counter): Blocking<number> { return yield* c.twice(); },
    };
    function* main(): Blocking<string> {
      const counter = yield* Counter.of(2);
      const shown = yield* table.run(counter);
      return shown + (yield* table.late(counter)) + counter.shown;
    }`,
  "optional members and closures": `
    interface Ops { move?: (n: number) => Steps<number> }
    const none: Ops = {};
    const some: Ops = { *move(n): Steps<number> { yield "moving"; return n; } };
    function* move(ops: Ops, n: number): Steps<number> {
      if (ops.move === undefined) return -1;
      return yield* ops.move(n);
    }
    function* main(): Steps<number[]> {
      const pass = (n: number): Steps<number> => move(some, n);
      const result = [yield* move(none, 1), yield* pass(2), ...(yield* list())];
      return result;
    }
    function* list(): Steps<number[]> { yield "list"; return [8, 9]; }`,
  "a sleep that is needed stops the run": `
    const queue = { name: "folio 3", wouldSleep() { throw new Error("would sleep: " + this.name); } };
    let locked = false;
    function* lock(): Blocking<void> { while (locked) yield queue; locked = true; log("locked"); }
    function* main(): Blocking<void> { yield* lock(); yield* lock(); }`,
  "ordinary iterators inside go on yielding": `
    function* numbers(): Generator<number> { yield 1; yield* [2, 3]; }
    function* seen(n: number): Steps<number> { yield "seen"; return n * n; }
    function* main(): Steps<number> {
      let sum = 0;
      for (const n of numbers()) sum += yield* seen(n);
      return sum;
    }`,
};

interface Outcome {
  readonly returned?: unknown;
  readonly thrown?: string;
  readonly logged: readonly unknown[];
}

function run(source: string): Outcome {
  const { code } = transformSync(source, { loader: "ts", target: "node20" });
  const logged: unknown[] = [];
  const main = new Function("log", `${code}\nreturn main;`)((...what: unknown[]) =>
    logged.push(what),
  ) as () => Blocking<unknown>;
  try {
    return { returned: runToEnd(main()), logged };
  } catch (error) {
    return { thrown: (error as Error).message, logged };
  }
}

for (const [name, source] of Object.entries(programs)) {
  test(`both forms do the same: ${name}`, () => {
    const plain = toPlain(source, "program.ts");
    assert.doesNotMatch(plain.replaceAll(/numbers\(\).*\n/g, ""), /yield|\*\s*\w+\(/);
    const outcome = run(source);
    assert.deepEqual(run(plain), outcome);
    assert.ok(outcome.logged.length > 0 || outcome.returned !== undefined);
  });
}
