/**
 * Constants written out where they are used, as a compiler with `const enum` would.
 *
 * `PG.locked` is a load of a property in every run of a hot loop, and costs bytecode that counts
 * against what may be inlined. For the bundles each use of a numeric constant of the project, its
 * own or imported, becomes its value: `export const N = 9`, members of `{ a: 0x1 } as const`, and
 * what follows from them by + - * | & << . Every line keeps its number.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

/** A number, or the numeric members of an object. */
type Constant = number | ReadonlyMap<string, number>;

type Constants = ReadonlyMap<string, Constant>;

const known = new Map<string, Constants>();

/** Gives the source of a TypeScript module with its numeric constants written out. */
export function inlineConstants(source: string, fileName: string): string {
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.ES2023, true);
  const constants = visibleConstants(file, new Set([fileName]));
  for (const name of namesDeclaredInside(file)) constants.delete(name);
  const edits: { start: number; end: number; text: string }[] = [];
  visit(file);
  let result = source;
  for (const { start, end, text } of edits.reverse()) {
    result = result.slice(0, start) + text + result.slice(end);
  }
  return result;

  function visit(node: ts.Node): void {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    const value = isUse(node) ? evaluate(node, constants) : null;
    if (value === null) ts.forEachChild(node, visit);
    else edits.push({ start: node.getStart(file), end: node.end, text: literal(value) });
  }
}

/** Negative numbers in brackets: `-N` must not become `--1`. */
function literal(value: number): string {
  return value < 0 ? `(${value})` : String(value);
}

/** A name or a member of it where its value is wanted, and not where it is named. */
function isUse(node: ts.Node): node is ts.Expression {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(node)) return !isWritten(node);
  if (!ts.isIdentifier(node)) return false;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  const isNamed = "name" in parent && parent.name === node;
  const isProperty = ts.isShorthandPropertyAssignment(parent) || ts.isBindingElement(parent);
  return !isNamed && !isProperty && !ts.isLabeledStatement(parent) && !isWritten(node);
}

function isWritten(node: ts.Node): boolean {
  const { parent } = node;
  return ts.isBinaryExpression(parent) && parent.left === node && isAssignment(parent);
}

function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/** Constants at the top of the file, and those that it imports from the project. */
function visibleConstants(file: ts.SourceFile, underway: Set<string>): Map<string, Constant> {
  const constants = new Map<string, Constant>();
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement)) addImported(statement, file, constants, underway);
    if (!ts.isVariableStatement(statement)) continue;
    if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name) || initializer === undefined) continue;
      const value = constantOf(initializer, constants);
      if (value !== null) constants.set(name.text, value);
    }
  }
  return constants;
}

function addImported(
  { importClause, moduleSpecifier }: ts.ImportDeclaration,
  file: ts.SourceFile,
  constants: Map<string, Constant>,
  underway: Set<string>,
): void {
  const bindings = importClause?.namedBindings;
  if (!ts.isStringLiteral(moduleSpecifier) || !moduleSpecifier.text.startsWith(".")) return;
  if (bindings === undefined || !ts.isNamedImports(bindings)) return;
  const target = path.resolve(path.dirname(file.fileName), moduleSpecifier.text);
  const exported = constantsOfModule(target, underway);
  for (const { name, propertyName } of bindings.elements) {
    const value = exported.get((propertyName ?? name).text);
    if (value !== undefined) constants.set(name.text, value);
  }
}

function constantsOfModule(fileName: string, underway: Set<string>): Constants {
  const before = known.get(fileName);
  if (before !== undefined) return before;
  // A cycle of imports: nothing to be had from a module that is being read.
  if (underway.has(fileName)) return new Map();
  underway.add(fileName);
  const source = readFileSync(fileName, "utf8");
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.ES2023, true);
  const constants = visibleConstants(file, underway);
  known.set(fileName, constants);
  return constants;
}

function constantOf(node: ts.Expression, constants: Constants): Constant | null {
  const value = evaluate(node, constants);
  if (value !== null) return value;
  const object = ts.isAsExpression(node) ? node.expression : node;
  if (!ts.isObjectLiteralExpression(object) || object === node) return null;
  const members = new Map<string, number>();
  for (const property of object.properties) {
    if (!ts.isPropertyAssignment(property) || !ts.isIdentifier(property.name)) return null;
    const member = evaluate(property.initializer, constants);
    if (member === null) return null;
    members.set(property.name.text, member);
  }
  return members;
}

/** The value of an expression of constants, or null. */
function evaluate(node: ts.Expression, constants: Constants): number | null {
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (ts.isParenthesizedExpression(node)) return evaluate(node.expression, constants);
  if (ts.isIdentifier(node)) {
    const value = constants.get(node.text);
    return typeof value === "number" ? value : null;
  }
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const members = constants.get(node.expression.text);
    return members instanceof Map ? (members.get(node.name.text) ?? null) : null;
  }
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken) {
    const value = evaluate(node.operand, constants);
    return value === null ? null : -value;
  }
  return ts.isBinaryExpression(node) ? evaluateBinary(node, constants) : null;
}

function evaluateBinary(node: ts.BinaryExpression, constants: Constants): number | null {
  const left = evaluate(node.left, constants);
  const right = left === null ? null : evaluate(node.right, constants);
  if (left === null || right === null) return null;
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.PlusToken:
      return left + right;
    case ts.SyntaxKind.MinusToken:
      return left - right;
    case ts.SyntaxKind.AsteriskToken:
      return left * right;
    case ts.SyntaxKind.BarToken:
      return left | right;
    case ts.SyntaxKind.AmpersandToken:
      return left & right;
    case ts.SyntaxKind.LessThanLessThanToken:
      return left << right;
    default:
      return null;
  }
}

/** Names that some function of the file declares for itself: they may hide a constant. */
function namesDeclaredInside(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) ts.forEachChild(statement, collect);
    else
      for (const { initializer } of statement.declarationList.declarations)
        if (initializer) collect(initializer);
  }
  return names;

  function collect(node: ts.Node): void {
    const isDeclared =
      ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node);
    if (isDeclared && ts.isIdentifier(node.name)) names.add(node.name.text);
    ts.forEachChild(node, collect);
  }
}
