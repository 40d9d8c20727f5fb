import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { Declarations, withoutProtocol } from "./declarations.ts";

const folder = mkdtempSync(path.join(tmpdir(), "declarations-"));
after(() => rmSync(folder, { recursive: true }));

function source(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

test("a call that may sleep gives what it returns", () => {
  const forms = [
    ["declare function f(a: number): Blocking<string>;", "declare function f(a: number): string;"],
    ["type F = (a: Blocking<A | B>) => Steps<A | B>;", "type F = (a: A | B) => A | B;"],
    ["type G<T> = OnFolio<Blocking<T>>;", "type G<T> = OnFolio<T>;"],
    ["interface I { readonly f?: () => Steps<void>; }", "interface I { readonly f?: () => void; }"],
    ["class C { f(): Blocking<Steps<A>>; g: X; }", "class C { f(): A; g: X; }"],
    ["/** Of `Steps<T>`. */ type H = Steps<() => A>;", "/** Of `Steps<T>`. */ type H = () => A;"],
  ];
  for (const [declared, plain] of forms) assert.equal(withoutProtocol(declared), plain);
});

test("what would mean something else without brackets gets them", () => {
  assert.equal(withoutProtocol("type A = Steps<X | Y>[];"), "type A = (X | Y)[];");
  assert.equal(withoutProtocol("type B = null | Steps<() => X>;"), "type B = null | (() => X);");
});

test("other types of such names stay", () => {
  for (const text of ["type A = Steps;", "type B = sched.Steps<X>;", "type C = StepsOf<X>;"]) {
    assert.equal(withoutProtocol(text), text);
  }
});

test("an entry reaches what its declarations name, and no more", async () => {
  source("used.ts", "export interface Used { readonly a: number }\n");
  source("hidden.ts", "export const hidden: number = 1;\n");
  source("protocol.ts", "export type Steps<T> = Generator<string, T, void>;\n");
  const entry = source(
    "entry.ts",
    [
      'import { hidden } from "./hidden.ts";',
      'import type { Steps } from "./protocol.ts";',
      'import type { Used } from "./used.ts";',
      "/** Kept. */",
      "export function* f(): Steps<Used> { return { a: hidden }; }",
    ].join("\n"),
  );
  const declarations = new Declarations();
  const plain = await declarations.reach([entry], "plain");
  assert.deepEqual([...plain.keys()].map((file) => path.basename(file)).sort(), [
    "entry.ts",
    "protocol.ts",
    "used.ts",
  ]);
  assert.match(plain.get(entry) ?? "", /"\.\/used\.js";\n\/\*\* Kept\. \*\/\n.* f\(\): Used;/);
  const steps = await declarations.reach([entry], "steps");
  assert.match(steps.get(entry) ?? "", / f\(\): Steps<Used>;/);
});

test("an export without a type is refused, with its file", async () => {
  const entry = source("guess.ts", "export const sum = [1].map((x) => x);\n");
  await assert.rejects(new Declarations().reach([entry], "plain"), /guess\.ts: /);
});
