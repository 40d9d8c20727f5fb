/**
 * Who imports whom: rooms by the table in layers.ts, packages by need, and no cycles.
 *
 * Every way to name a module counts: imports and re-exports, of types too, `import()` both as a
 * call and as a type, and `require`.
 */
import path from "node:path";
import ts from "typescript";
import { directlyBelow, roomsSeenBy, roomsWithNode } from "../layers.ts";
import { isTest, type TextFile } from "./files.ts";

interface Import {
  readonly line: number;
  /** Null if it is computed, and so cannot be checked. */
  readonly specifier: string | null;
  readonly typeOnly: boolean;
}

/** What breaks the table: a room that is not in it, an import upwards, a package below host. */
export function wrongImports(files: readonly TextFile[]): string[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path);
    if (room === null || !Object.hasOwn(directlyBelow, room)) {
      return [`${file.path}: stands in no room of tools/layers.ts`];
    }
    return importsOf(file).flatMap((each) => {
      const wrong = wrongImport(file.path, room, each.specifier);
      return wrong === null ? [] : [`${file.path}:${each.line}: ${wrong}`];
    });
  });
}

function wrongImport(file: string, room: string, specifier: string | null): string | null {
  // What users wrote is loaded from wherever it is.
  if (specifier === null) {
    return roomsWithNode.includes(room) ? null : "imports what only a run would tell";
  }
  if (!specifier.startsWith(".")) {
    if (roomsWithNode.includes(room) || isTest(file)) return null;
    return `imports ${specifier}, and below host nothing needs a package or Node`;
  }
  const target = resolve(file, specifier);
  const targetRoom = roomOf(target);
  if (targetRoom !== null && roomsSeenBy(room).has(targetRoom)) return null;
  return `imports ${target}, which ${room} may not see`;
}

/** Each cycle of imports that are there at run time, as the files on it. */
export function importCycles(files: readonly TextFile[]): string[] {
  const next = new Map(files.map((file) => [file.path, valueImportsOf(file)]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  for (const file of next.keys()) follow(file, []);
  return cycles;

  function follow(file: string, way: readonly string[]): void {
    const start = way.indexOf(file);
    if (start >= 0) cycles.push([...way.slice(start), file].join(" -> "));
    if (start >= 0 || finished.has(file)) return;
    for (const target of next.get(file) ?? []) follow(target, [...way, file]);
    finished.add(file);
  }
}

function valueImportsOf(file: TextFile): string[] {
  return importsOf(file).flatMap(({ specifier, typeOnly }) =>
    specifier?.startsWith(".") && !typeOnly ? [resolve(file.path, specifier)] : [],
  );
}

/** "memory" for src/memory/zone.ts, "web" for web/view.ts, null for what belongs to no room. */
function roomOf(file: string): string | null {
  const [top, room, ...rest] = file.split("/");
  if (top === "web") return "web";
  return top === "src" && rest.length > 0 ? room : null;
}

function resolve(from: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(from), specifier);
}

function importsOf({ path: name, text }: TextFile): Import[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true);
  const found: Import[] = [];
  visit(file);
  return found;

  function visit(node: ts.Node): void {
    const named = moduleNamedBy(node);
    if (named !== undefined) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      const specifier = named !== null && ts.isStringLiteralLike(named) ? named.text : null;
      found.push({ line: line + 1, specifier, typeOnly: isTypeOnly(node) });
    }
    ts.forEachChild(node, visit);
  }
}

/** What names the module that `node` imports, null if nothing does; undefined for no import. */
function moduleNamedBy(node: ts.Node): ts.Node | null | undefined {
  if (ts.isImportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : null;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const { expression } = node;
  const isImport = expression.kind === ts.SyntaxKind.ImportKeyword;
  const isRequire = ts.isIdentifier(expression) && expression.text === "require";
  return isImport || isRequire ? (node.arguments[0] ?? null) : undefined;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) {
    return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  }
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  return ts.isImportTypeNode(node);
}
