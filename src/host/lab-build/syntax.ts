/** Questions about the syntax of a module that each part of the transform asks. */
import ts from "typescript";
import { InputError } from "../../base/input-error.ts";

/** A module that the tracked build cannot express: names the file, the line and what is there. */
export function refusal(node: ts.Node, what: string): InputError {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  const expected = "what the tracked build can follow";
  return new InputError(`${file.fileName}:${line + 1}`, what, expected);
}

export function isAssignment(node: ts.Node): node is ts.BinaryExpression {
  if (!ts.isBinaryExpression(node)) return false;
  const { kind } = node.operatorToken;
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

export function isStep(
  node: ts.Node,
): node is ts.PrefixUnaryExpression | ts.PostfixUnaryExpression {
  if (!ts.isPrefixUnaryExpression(node) && !ts.isPostfixUnaryExpression(node)) return false;
  const { operator } = node;
  return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
}

/** The expression without the brackets and type assertions around it. */
export function bare(node: ts.Node): ts.Node {
  return isWrapper(node) ? bare(node.expression) : node;
}

export function isWrapper(
  node: ts.Node,
): node is
  | ts.ParenthesizedExpression
  | ts.AsExpression
  | ts.SatisfiesExpression
  | ts.NonNullExpression {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node)
  );
}

/** Whether the task may give up the processor within `node`, functions in it aside. */
export function containsYield(node: ts.Node): boolean {
  if (ts.isYieldExpression(node) || ts.isAwaitExpression(node)) return true;
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return true;
  if (ts.isFunctionLike(node)) return false;
  return ts.forEachChild(node, (child) => containsYield(child) || undefined) ?? false;
}

/** Whether anything can happen while `node` is evaluated; a name or a constant has no effect. */
export function hasEffects(node: ts.Node): boolean {
  if (ts.isFunctionLike(node)) return false;
  const acts =
    ts.isCallExpression(node) ||
    ts.isNewExpression(node) ||
    ts.isYieldExpression(node) ||
    ts.isAwaitExpression(node) ||
    isAssignment(node) ||
    isStep(node);
  return acts || (ts.forEachChild(node, (child) => hasEffects(child) || undefined) ?? false);
}

/** Whether nobody looks at the value of `node`. */
export function isValueUnused(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isParenthesizedExpression(parent)) return isValueUnused(parent);
  if (ts.isForStatement(parent)) return parent.condition !== node;
  return ts.isExpressionStatement(parent);
}

/** Where `this.p` of a constructor, outside of functions in it, is of an object nobody has yet. */
export function isOfNewObject(node: ts.PropertyAccessExpression): boolean {
  if (node.expression.kind !== ts.SyntaxKind.ThisKeyword) return false;
  const around = ts.findAncestor(
    node,
    (each) =>
      ts.isFunctionLike(each) ||
      ts.isPropertyDeclaration(each) ||
      ts.isClassStaticBlockDeclaration(each),
  );
  return around !== undefined && ts.isConstructorDeclaration(around);
}

/** What an assignment, a step or a `delete` changes: names and accesses, out of patterns too. */
export function forEachTarget(node: ts.Node, visit: (target: ts.Node) => void): void {
  const target = bare(node);
  if (ts.isArrayLiteralExpression(target)) {
    for (const element of target.elements) forEachTarget(element, visit);
  } else if (ts.isObjectLiteralExpression(target)) {
    for (const property of target.properties) forEachTarget(property, visit);
  } else if (ts.isSpreadElement(target) || ts.isSpreadAssignment(target)) {
    forEachTarget(target.expression, visit);
  } else if (ts.isPropertyAssignment(target)) {
    forEachTarget(target.initializer, visit);
  } else if (ts.isShorthandPropertyAssignment(target)) {
    visit(target.name);
  } else if (isAssignment(target)) {
    // A default in a pattern.
    forEachTarget(target.left, visit);
  } else {
    visit(target);
  }
}

/** The line breaks of the source between two places, so that what follows keeps its line. */
export function lineBreaks(source: string, start: number, end: number): string {
  return source.slice(start, end).replace(/[^\n]/g, "");
}
