/**
 * No call that may sleep is dropped.
 *
 * `folioLock(mem, folio);` without `yield*` compiles and locks nothing; so do
 * `if (folioTryGet(folio))`, where a generator is always true, and `folios.forEach(putBack)`, where
 * `forEach` throws away what it gets. TypeScript has no rule for that, so this asks its checker:
 *
 * - whatever gives a generator must be run by `yield*`, returned, kept, or passed on;
 * - a function that returns a generator may not stand where its result is ignored.
 */
import ts from "typescript";
import { ownFiles, placeOf } from "./program.ts";
import { isProtocolType, mayBeGenerator } from "./protocol-types.ts";

export function droppedCalls(program: ts.Program): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const file of ownFiles(program)) visit(file);
  return found;

  function visit(node: ts.Node): void {
    if (isDroppedCall(node) || isDroppedList(node)) report(node, "is dropped");
    if (isIgnoredCallback(node) || isIgnoredMethod(node)) report(node, "goes where it is dropped");
    ts.forEachChild(node, visit);
  }

  function report(node: ts.Node, what: string): void {
    const [line] = node.getText().split("\n", 1);
    found.push(`${placeOf(node)}: ${line}: a generator that ${what}`);
  }

  function isDroppedCall(node: ts.Node): boolean {
    if (!ts.isCallExpression(node)) return false;
    const type = checker.getTypeAtLocation(node);
    if (!mayBeGenerator(type) || isKept(node)) return false;
    return isProtocolType(type, checker) || !iterates(node.parent);
  }

  /** `folios.map(putBack);` as a statement: a list of generators that nobody runs. */
  function isDroppedList(node: ts.Node): boolean {
    if (!ts.isExpressionStatement(node)) return false;
    const item = checker.getTypeAtLocation(node.expression).getNumberIndexType();
    return item !== undefined && mayBeGenerator(item);
  }

  /** A function as a value where only `() => void` or `() => unknown` is asked for. */
  function isIgnoredCallback(node: ts.Node): boolean {
    if (!ts.isExpression(node) || passesOn(node)) return false;
    const asked = checker.getContextualType(node);
    return asked !== undefined && returnsGenerator(node) && ignoresResult(asked);
  }

  /** A method that implements or overrides one that returns nothing. */
  function isIgnoredMethod(node: ts.Node): boolean {
    if (!ts.isMethodDeclaration(node) || !returnsGenerator(node)) return false;
    const name = node.name.getText();
    return typesAround(node).some((type) => {
      const member = type.getProperty(name);
      return member !== undefined && ignoresResult(checker.getTypeOfSymbolAtLocation(member, node));
    });
  }

  function typesAround(method: ts.MethodDeclaration): ts.Type[] {
    const { parent } = method;
    if (ts.isObjectLiteralExpression(parent)) {
      const asked = checker.getContextualType(parent);
      return asked === undefined ? [] : [checker.getNonNullableType(asked)];
    }
    const clauses = ts.isClassLike(parent) ? (parent.heritageClauses ?? []) : [];
    return clauses.flatMap(({ types }) => types.map((type) => checker.getTypeAtLocation(type)));
  }

  function returnsGenerator(node: ts.Node): boolean {
    const signatures = checker.getTypeAtLocation(node).getCallSignatures();
    return signatures.some((signature) => mayBeGenerator(signature.getReturnType()));
  }

  function ignoresResult(type: ts.Type): boolean {
    const signatures = checker.getNonNullableType(type).getCallSignatures();
    const ignored = ts.TypeFlags.Void | ts.TypeFlags.Unknown | ts.TypeFlags.Any;
    return signatures.some((signature) => (signature.getReturnType().flags & ignored) !== 0);
  }
}

/** Whether the value of `node` reaches somebody who can run it. */
function isKept(node: ts.Expression): boolean {
  const { parent } = node;
  if (ts.isYieldExpression(parent)) return parent.asteriskToken !== undefined;
  if (ts.isBinaryExpression(parent)) return isKeptByOperator(node, parent);
  if (ts.isConditionalExpression(parent)) return parent.condition !== node && isKept(parent);
  if (passesOn(parent)) return isKept(parent);
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return parent.expression !== node;
  return keeps(parent);
}

function isKeptByOperator(node: ts.Expression, operation: ts.BinaryExpression): boolean {
  switch (operation.operatorToken.kind) {
    case ts.SyntaxKind.EqualsToken:
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
      return operation.right === node;
    case ts.SyntaxKind.QuestionQuestionToken:
      return isKept(operation);
    case ts.SyntaxKind.CommaToken:
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.BarBarToken:
      return operation.right === node && isKept(operation);
    default:
      return false;
  }
}

/** Whether the value of `node` is that of the expression in it. */
function passesOn(node: ts.Node): node is ts.Expression {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node)
  );
}

function keeps(node: ts.Node): boolean {
  return (
    ts.isReturnStatement(node) ||
    ts.isArrowFunction(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertyAssignment(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isArrayLiteralExpression(node)
  );
}

/** What iterates over a generator; for `Steps` and `Blocking` that would run past the scheduler. */
function iterates(node: ts.Node): boolean {
  return ts.isForOfStatement(node) || ts.isSpreadElement(node);
}
