/** Reads of properties, elements and shared variables; optional chains; `delete`, `in`. */
import ts from "typescript";
import { isNoted } from "./collection-methods.ts";
import { bare, containsYield, isWrapper, refusal } from "./syntax.ts";
import type { Tracker } from "./tracker.ts";

export function rewriteAccess(node: ts.Node, tracker: Tracker): string | null {
  if (tracker.isTrackedAccess(node)) return propertyText(node, tracker, "read");
  if (ts.isPropertyAccessExpression(node)) return untrackedText(node, tracker);
  if (ts.isElementAccessExpression(node)) return elementText(node, tracker, "readElement");
  if (ts.isDeleteExpression(node)) return deleteText(node, tracker);
  if (ts.isIdentifier(node)) return variableText(node, tracker);
  if (ts.isShorthandPropertyAssignment(node)) return shorthandText(node, tracker);
  return ts.isBinaryExpression(node) ? inText(node, tracker) : null;
}

/** `o.p` as `note(o, KEY).p`, to be read or to be written. */
export function propertyText(
  node: ts.PropertyAccessExpression,
  tracker: Tracker,
  note: string,
): string {
  const { expression, name } = node;
  const object = `${tracker.use(note)}(${tracker.text(expression)}, ${tracker.key(name.text)})`;
  return `${object}${tracker.breaks(expression, name)}${dot(node, tracker)}${name.text}`;
}

function untrackedText(node: ts.PropertyAccessExpression, tracker: Tracker): string {
  const { expression, name } = node;
  const gap = tracker.breaks(expression, name);
  return `${tracker.text(expression)}${gap}${dot(node, tracker)}${name.text}`;
}

function dot(node: ts.PropertyAccessExpression, tracker: Tracker): string {
  return isOptionalLink(node, tracker) ? "?." : ".";
}

/** `a[i]` as `note(a, i)[i]`, to be read or to be written. */
export function elementText(
  node: ts.ElementAccessExpression,
  tracker: Tracker,
  note: string,
): string {
  const { expression, argumentExpression: index } = node;
  const question = isOptionalLink(node, tracker) ? "?." : "";
  const gap = tracker.breaks(expression, index);
  const isFixed = tracker.isFixedTable(expression) && note === "readElement";
  if (isFixed || expression.kind === ts.SyntaxKind.SuperKeyword) {
    return tracker.childrenInPlace(node);
  }
  const object = tracker.text(expression);
  if (isSimple(index, tracker) && note !== "removeElement") {
    const text = tracker.raw(index);
    return `${tracker.use(note)}(${object}, ${text})${gap}${question}[${text}]`;
  }
  const noted = `${tracker.use(`${note}At`)}(${object}, ${gap}${tracker.text(index)})`;
  return `${noted}${question}[${tracker.use("at")}]`;
}

/** Whether evaluating `node` twice is evaluating it once. */
export function isSimple(node: ts.Node, tracker: Tracker): boolean {
  if (tracker.replaced.has(node)) return true;
  if (ts.isIdentifier(node)) return tracker.variable(node) === undefined;
  return (
    ts.isNumericLiteral(node) || ts.isStringLiteral(node) || node.kind === ts.SyntaxKind.ThisKeyword
  );
}

function deleteText(node: ts.DeleteExpression, tracker: Tracker): string | null {
  const target = bare(node.expression);
  const first = firstOptional(target, tracker);
  if (first !== null && first !== target) {
    throw refusal(node, "a delete behind an optional link: write the test out");
  }
  if (ts.isPropertyAccessExpression(target)) {
    return `delete ${propertyText(target, tracker, "remove")}`;
  }
  if (!ts.isElementAccessExpression(target)) return null;
  return `delete ${elementText(target, tracker, "removeElement")}`;
}

function inText(node: ts.BinaryExpression, tracker: Tracker): string | null {
  const { left, operatorToken, right } = node;
  if (operatorToken.kind !== ts.SyntaxKind.InKeyword || ts.isPrivateIdentifier(left)) return null;
  const [key, object] = [tracker.text(left), tracker.text(right)];
  return `${tracker.use("isIn")}(${key}, ${tracker.breaks(left, right)}${object})`;
}

function variableText(node: ts.Identifier, tracker: Tracker): string | null {
  const variable = tracker.variable(node);
  if (variable === undefined || isDeclared(node)) return null;
  return `${tracker.use("readVariable")}(${tracker.place(variable)}, ${node.text})`;
}

/** Whether the name stands where it is declared, and not where its value is wanted. */
function isDeclared(node: ts.Identifier): boolean {
  const { parent } = node;
  const declares =
    ts.isFunctionDeclaration(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent);
  return declares && parent.name === node;
}

function shorthandText(node: ts.ShorthandPropertyAssignment, tracker: Tracker): string | null {
  const variable = tracker.variable(node.name);
  if (variable === undefined) return null;
  const { text } = node.name;
  return `${text}: ${tracker.use("readVariable")}(${tracker.place(variable)}, ${text})`;
}

/**
 * `a?.b.c` with a note on `c`: `optional(a, (o) => read(o.b, KEY).c)`.
 *
 * A note on the link right behind `a?.` needs no such thing: `read(a, KEY)?.b` is a chain.
 */
export function rewriteChain(node: ts.Node, tracker: Tracker): string | null {
  if (!isLink(node) || isInnerLink(node)) return null;
  const first = firstOptional(node, tracker);
  if (first === null || !needsTest(node, first, tracker)) return null;
  if (containsYieldBehind(node, first)) {
    throw refusal(node, "an optional chain with a yield in it: write the test out");
  }
  const head = first.expression;
  if (ts.isCallExpression(first) && isAccess(head)) {
    throw refusal(node, "a chain behind an optional call of a method: write the test out");
  }
  const name = tracker.temporary();
  const value = tracker.text(head);
  tracker.tested.add(first);
  tracker.replaced.set(head, name);
  return `${tracker.use("optional")}(${value}, (${name}) => ${tracker.text(node)})`;
}

type Link = ts.PropertyAccessExpression | ts.ElementAccessExpression | ts.CallExpression;

function isLink(node: ts.Node): node is Link | ts.NonNullExpression {
  const isPart =
    ts.isPropertyAccessExpression(node) ||
    ts.isElementAccessExpression(node) ||
    ts.isCallExpression(node) ||
    ts.isNonNullExpression(node);
  return isPart && (node.flags & ts.NodeFlags.OptionalChain) !== 0;
}

/** A link with others of its chain behind it. */
function isInnerLink(node: ts.Node): boolean {
  const { parent } = node;
  return isLink(parent) && parent.expression === node;
}

function hasQuestion(node: ts.Node): boolean {
  return "questionDotToken" in node && node.questionDotToken !== undefined;
}

function isOptionalLink(node: ts.Node, tracker: Tracker): boolean {
  return hasQuestion(node) && !tracker.tested.has(node);
}

/** The link of `node`'s chain that is evaluated first among those that may end it. */
function firstOptional(node: ts.Node, tracker: Tracker): Link | null {
  let first: Link | null = null;
  for (let at: ts.Node = node; isLink(at); at = at.expression) {
    if (isOptionalLink(at, tracker)) first = at as Link;
  }
  return first;
}

/** Whether some link behind the first, or a noted method at it, cannot be noted in a chain. */
function needsTest(node: ts.Node, first: Link, tracker: Tracker): boolean {
  for (let at: ts.Node = node; isLink(at); at = at.expression) {
    if (isNotedCall(at, tracker)) return true;
    if (at === first) return isElementWithEffects(first, tracker);
    if (tracker.isTrackedAccess(at) || ts.isElementAccessExpression(at)) return true;
  }
  return false;
}

function isElementWithEffects(link: Link, tracker: Tracker): boolean {
  return ts.isElementAccessExpression(link) && !isSimple(link.argumentExpression, tracker);
}

function isNotedCall(link: ts.Node, tracker: Tracker): boolean {
  if (!ts.isCallExpression(link) || isOptionalLink(link, tracker)) return false;
  const { expression } = link;
  return ts.isPropertyAccessExpression(expression) && isNoted(expression.name.text);
}

function containsYieldBehind(node: ts.Node, first: Link): boolean {
  for (let at: ts.Node = node; isLink(at); at = at.expression) {
    if (ts.isCallExpression(at) && at.arguments.some(containsYield)) return true;
    if (ts.isElementAccessExpression(at) && containsYield(at.argumentExpression)) return true;
    if (at === first) return false;
  }
  return false;
}

function isAccess(node: ts.Node): boolean {
  if (isWrapper(node)) return isAccess(node.expression);
  return ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);
}
