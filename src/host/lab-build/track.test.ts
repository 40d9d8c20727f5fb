/** A tracked module does what the module does; `touches.test.ts` tests what is noted of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as recorder from "../../sched/explore/tracked.ts";
import { ChangingNames, ModuleSource } from "./track.ts";
import { strip, trackedBody } from "./tracked-body.ts";

/** What the body of a function returns or throws, as text; `tell(x)` adds to what is told. */
function outcome(text: string): string {
  const told: unknown[] = [];
  const tell = (value: unknown): unknown => {
    told.push(value);
    return value;
  };
  let end: unknown;
  try {
    end = new Function("recorder", "tell", text)(recorder, tell);
  } catch (error) {
    // Who calls is named otherwise.
    end = String(error).replace(/\S+ is not a function/, "it is not a function");
  }
  return show([end, told]);
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, each) => {
    if (each instanceof Map || each instanceof Set) return [...each];
    if (ArrayBuffer.isView(each)) return [...(each as Uint8Array)];
    return each === undefined ? "undefined" : each;
  });
}

function assertSame(body: string): void {
  const text = trackedBody(body);
  const plain = outcome(`${strip(`function program() {\n${body}\n}`)}\nreturn program();`);
  assert.equal(outcome(text), plain, text);
}

const PROGRAMS: Readonly<Record<string, string>> = {
  "all kinds of assignment": `
    const o: { a: any; b: number } = { a: 1, b: 2 };
    o.a = 3; o.b += o.a; o.b **= 2; o.b >>= 1; o.a++; --o.b; o["a"] = o.a + 1;
    const r = [o.a++, ++o.a, (o.b -= 1), (o.a ??= 5), (o.a &&= 0), (o.a ||= 9)];
    delete (o as any).b;
    return [o, r, "b" in o, Object.keys(o)];`,
  "elements, with an index that is evaluated once": `
    const a = [1, 2, 3]; let i = 0;
    const next = () => tell(i++) as number;
    a[next()] += 10; a[next()]++; a[next() % 2] = a[next() % 3];
    const f = new Float64Array([0.5, 1.5]); f[0] += 0.25; f[1]++;
    a[a[5] ?? 1] = a.length; a.length = 2; a[7] = 1;
    return [a, f, i, a["length"], "abc"[1]];`,
  "getters, setters and this": `
    const log: string[] = [];
    class P { #x = 1; static made = 0; held = 0;
      constructor() { P.made++; this.held = 5; }
      get x() { log.push("get"); return this.#x; }
      set x(v) { log.push("set " + v); this.#x = v; this.held++; }
      twice() { this.#x *= 2; this.#x++; return this.x; }
      has(o: object) { return #x in o; } }
    const p = new P(); p.x += 2; p.x++; p.x ??= 7; const { x, held: h } = p;
    return [p.twice(), x, h, p.has(p), p.has({}), P.made, log, Object.keys(p), JSON.stringify(p)];`,
  "derived classes and super": `
    class A { n = 1; add(k: number) { this.n += k; return this.n; } }
    class B extends A { m; constructor() { super(); this.m = this.n; this.m++; }
      override add(k: number) { this.m -= 1; return super.add(k) + this.m; } }
    class M extends Map<string, number> { sets = 0;
      override set(k: string, v: number) { this.sets++; return super.set(k, v); } }
    class L extends Array<number> { top() { return this[this.length - 1]; } }
    const m = new M(); m.set("a", 1).set("b", 2);
    const l = new L(); l.push(4, 5);
    return [new B().add(3), m.sets, [...m], m.size, l.top(), l.map((v) => v * 2) instanceof L];`,
  "optional chains": `
    const o: any = { a: { b: { c: [1, { d: 2 }], f() { return this.c; } } }, m: new Map([[1, 2]]) };
    const none: any = null; o.a.b.c[0] = 5; o.a.b.e = 1;
    const key = () => tell("key");
    return [o?.a.b.c[1].d, none?.a.b.c, none?.[key() as any], o?.["a"]?.b.f()[0], o.a?.b?.c?.[1]?.d,
      o.x?.y.z(tell("never")), o.m?.get(1), none?.get(tell("no")), o.a.b.g?.(tell("nor")), o.a?.b.c.length,
      o?.a!.b.e, none?.a.b.e.x, (o?.a).b.e, delete o.a?.x, delete none?.a, o.a.b.c.push?.(3)];`,
  "an optional chain fails where it did": `
    const o: any = { a: null }; o.a = undefined;
    return o?.a.b.c;`,
  "a method of nothing fails before its arguments": `
    const o: any = { list: undefined }; o.list = null;
    return o.list.push(tell("argument"));`,
  "what is no function says so": `
    const o: any = { get: 3 }; o.get = 4;
    return o.get(tell("argument"));`,
  "patterns in every place": `
    const o: any = { a: 1, b: { c: 2, d: [3, 4] }, e: [5, { a: 6 }] }; o.a = 7; o.c = 1; o.d = 0;
    const { a, b: { c, d: [x, y = 9, z = 8] }, q = tell("default"), ...others } = o;
    const f = ({ a: k, e: [h] }: any, [l, n] = [k, h], ...more: any[]) => [k, h, l, n, more];
    function g(this: any, { a: k } = { a: 4 }, b = k) { return [k, b, arguments.length]; }
    let p, r; [p, r = 3] = [1]; ({ a: p, c: r = p } = o); [o.a, o.c] = [o.c, o.a];
    for (const { a: v, e: [w] } of [o, o]) tell([v, w]);
    for (const [k, { length }] of Object.entries({ one: "1" })) tell([k, length]);
    try { throw { a: 1 }; } catch ({ a: t }: any) { tell(t); }
    return [a, c, x, y, z, q, Object.keys(others), f(o), f(o, [1, 2], 3), g(), g({ a: 2 }), p, r, o.a];`,
  "variables that closures share": `
    let n = 0; let text = "a"; const fs: (() => number)[] = [];
    const add = () => { n++; n += 2; text += n; return n; };
    for (let i = 0; i < 3; i++) { fs.push(() => i); fs.push(() => ++i); }
    for (let i = 0; i < 2; i++) fs.push(() => i++);
    const set = (v: number) => { n = v; [n, text] = [n + 1, text]; ({ n } = { n }); };
    let later; const give = () => (later ??= tell("once"));
    return [add(), add(), n, text, set(9), n, fs.map((f) => f()), give(), give(), { n, text }, -n];`,
  generators: `
    const o = { n: 0, list: [1, 2] }; const m = new Map([[1, "a"], [2, "b"]]);
    function* g(): any { const v = yield 1; o.n = (yield 2) as number; o.list[0] = yield v; yield* inner(); }
    function* inner() { for (const x of o.list) { o.n += x; yield x; if (x === 2) o.list.push(7); }
      for (const [k, v] of m) { yield k + v; m.delete(2); } for (const k of m.keys()) yield k;
      for (const each of m.entries()) yield each; for (const c of "ab") yield c; }
    const it = g(); const seen: unknown[] = [it.next(), it.next("x"), it.next(5), it.next(6)];
    for (const each of it) seen.push(each);
    return [seen, o, m];`,
  "collections and their methods": `
    const a = [3, 1, 2]; const s = new Set(a); const m = new Map<any, any>(a.map((v) => [v, { v }]));
    a.sort().reverse(); a.unshift(9); a.splice(1, 1, 7, 8); const b = [...a, ...s, ...m.keys()];
    m.set(m, 1).delete(3); s.add(1).add(4); s.delete(9); const w = new WeakMap([[a, 1]]); w.set(b, 2);
    const v = new Uint8Array([1, 2, 3, 4]); const words = new Uint16Array(v.buffer, 2); words[0] = 513;
    v.set([9], 1); v.copyWithin(0, 2); v.fill(7, 3); const d = new DataView(v.buffer); d.setUint16(0, 258);
    return [a.at(-1), a.pop(), a.shift(), a, b, s, m.size, m.get(m), w.get(b), w.has({} as any), v, words,
      d.getUint8(1), v.subarray(1, 2).length, v.slice(1), Array.from(s, (x) => x * 2), Math.max(...a),
      a.concat([1], 2 as any), a.includes(7), [[1, [2]]].flat(), a.entries().next(), "a,b".split(","),
      Object.entries({ k: 1 }), Object.fromEntries([["q", 1]]), [...a.keys()], new Array(3).fill(0)];`,
  "records whose keys come and go": `
    const o: Record<string, number> = {}; for (const k of ["a", "b", "1"]) o[k] = k.length;
    delete o["a"]; o["b"] += 2; const copy = { ...o, z: 1 }; const seen = [];
    for (const k in o) seen.push(k);
    return [o, copy, seen, Object.keys(copy), JSON.stringify(o), "b" in o, "a" in o];`,
  "expressions where brackets matter": `
    const o: any = { C: class { v: any; constructor(v: any) { this.v = v; } }, f: (v: any) => v, n: 2 };
    o.C = o.C; o.f = o.f; o.n = 3; let k = 1; const inc = () => k++;
    const x = new o.C(1).v + (-o.n) ** 0; const y = \`\${o.n}\${k}\`; const arrow = () => ({ n: o.n });
    inc()
    ;[k, o.n] = [o.n, k]
    k
    ++o.n
    return [x, y, arrow(), o.f\`t\`[0], typeof k, typeof o.n, void o.n, o.n ? k : 0, !o.n, (o.n, k), k];`,
  "regular expressions remember": `
    const r = /a/g; const s = "aXa"; return [r.test(s), r.lastIndex, r.exec(s)?.index, r.test(s), s.match(/a/g)];`,
  "proxies and accessors of literals": `
    const o = { _v: 1, get v() { tell("get"); return this._v; }, set v(x) { tell("set"); this._v = x; } };
    o.v = 2; o.v += 3; o.v++; const p: any = new Proxy(o, { get: (t: any, k) => { tell(String(k)); return t[k]; } });
    p.v = 4; const { v } = p; return [v, o._v];`,
};

for (const [what, body] of Object.entries(PROGRAMS)) {
  test(`the same tracked: ${what}`, () => assertSame(body));
}

test("what cannot be followed is refused with its line", () => {
  const refusals: Readonly<Record<string, string>> = {
    "Object.assign(o, p);": "Object.assign",
    "Object.defineProperty(o, k, {});": "Object.defineProperty",
    "o.list.push.apply(o.list, more);": "push by way of apply",
    "for (o.p of list) {}": "a loop that assigns to what others see",
    "({ a: { p } } = o); o.p = 1;": "a pattern in a pattern",
    "function* g() { o.p += yield 1; }": "an assignment that reads before its value yields",
    "function* g() { f().p = yield 1; }": "an assignment whose value yields",
    "function* g() { [o.p] = yield 1; }": "a pattern whose value yields",
    "function* g() { return o?.list.push(yield 1); }": "an optional chain with a yield in it",
    "delete o?.a.b;": "a delete behind an optional link",
    "class A extends B { f() { super.p = 1; } }": "an assignment to a property of super",
  };
  for (const [body, what] of Object.entries(refusals)) {
    const { message } = refusalOf(body);
    assert.ok(message.startsWith(`program.ts:2: found ${what}`), message);
  }
});

test("a variable that changes is not exported", () => {
  for (const body of ["export let n = 0;", "let n = 0; export { n };"]) {
    const module = new ModuleSource(`${body} export const f = () => n++;`, "program.ts");
    const write = (): string => module.tracked(new ChangingNames(), "recorder");
    assert.throws(write, /program\.ts:1: found the exported variable n/);
  }
});

function refusalOf(body: string): Error {
  try {
    trackedBody(body);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`not refused: ${body}`);
}

/** Expressions of few names, all of which can change, some of them by what is evaluated. */
const expressions: fc.Arbitrary<string> = fc.letrec((tie) => {
  const value = tie("value") as fc.Arbitrary<string>;
  const of = (...parts: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
    fc
      .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
      .map((texts) => texts.join(""));
  const place = fc.oneof(
    fc.constantFrom("o.p", "o.q", "o.r.p", "n", "t.x", "list[0]"),
    of("list[(", value, ") & 3]"),
    of("bytes[(", value, ") & 3]"),
    of('o[tell("', fc.constantFrom("p", "q"), '")]'),
  );
  const operators = fc.constantFrom("=", "+=", "-=", "??=", "||=", "&&=", "|=");
  return {
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("1", "2", "0", "n", "o.p", "t.x", "list.length", "map.size", "null"),
      place,
      of("(", place, " ", operators, " ", value, ")"),
      of(fc.constantFrom("++", "--"), place),
      of("(", place, fc.constantFrom("++", "--"), ")"),
      of("(", value, fc.constantFrom(" + ", " - ", " | ", " && ", " ?? ", ", "), value, ")").map(
        (text) => text.replace(/ \?\? /, " || "),
      ),
      of("tell(", value, ")"),
      of("f(", value, ")"),
      of("list.push(", value, ")"),
      of("list.splice(", value, ", 1)"),
      of("map.set(", value, ", ", value, ").size"),
      of("map.get(", value, ")"),
      of("o?.r.", fc.constantFrom("p", "q.p", "list?.length", "f?.()")),
      of("[...list, ", value, "].length"),
      of("(({ p: a, q: b }) => (a ?? 0) + (b | 0))(o)"),
      of("(([a, b] = list) => [a, b].join())()"),
      of("([n, o.p] = [o.p, ", value, "], n)"),
      of("delete o.", fc.constantFrom("p", "q")),
    ),
  };
}).value as fc.Arbitrary<string>;

test("any small program does the same tracked", () => {
  const world = `
    let n = 1; const o: any = { p: 1, q: 2, r: { p: 3, q: { p: 4 } } }; const list: any[] = [1, 2, 3];
    const bytes = new Int8Array(4); const map = new Map<any, any>([[1, 2]]);
    class T { #x = 1; get x() { tell("x"); return this.#x; } set x(v) { tell(v); this.#x = v; } }
    const t = new T(); const f = (v: any) => { n = v; return o.p; };`;
  fc.assert(
    fc.property(fc.array(expressions, { minLength: 1, maxLength: 4 }), (statements) => {
      const body = statements.map((each) => `tell(${each});`).join("\n");
      assertSame(`${world}\n${body}\nreturn [n, o, list, bytes, map, t.x];`);
    }),
    { numRuns: 200 },
  );
});
