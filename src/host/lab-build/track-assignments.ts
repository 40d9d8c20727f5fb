/**
 * Assignments, `++` and `--`.
 *
 * The note stands around the object, `write(o, KEY).p = v`, so that all kinds of assignment stay
 * what they are. It comes before `v` is evaluated; where `v` may give up the processor, it has to
 * come behind, and what cannot be written so is refused.
 */
import ts from "typescript";
import type { SharedVariable } from "./shared-variables.ts";
import {
  bare,
  containsYield,
  forEachTarget,
  isAssignment,
  isStep,
  isValueUnused,
  isWrapper,
  refusal,
} from "./syntax.ts";
import { elementText, isSimple, propertyText } from "./track-accesses.ts";
import { readsOfPattern, refuseNested } from "./track-patterns.ts";
import type { Tracker } from "./tracker.ts";

export function rewriteAssignment(node: ts.Node, tracker: Tracker): string | null {
  if (isStep(node)) return stepText(node, tracker);
  if (!isAssignment(node)) return null;
  const target = bare(node.left);
  if (ts.isIdentifier(target)) return variableText(node, target, tracker);
  if (ts.isPropertyAccessExpression(target)) return propertyAssignment(node, target, tracker);
  if (ts.isElementAccessExpression(target)) return elementAssignment(node, target, tracker);
  return patternAssignment(node, target, tracker);
}

function stepText(
  node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression,
  tracker: Tracker,
): string {
  const target = bare(node.operand);
  const isUnused = isValueUnused(node);
  const operator = node.operator === ts.SyntaxKind.PlusPlusToken ? "++" : "--";
  const around = (text: string): string =>
    ts.isPrefixUnaryExpression(node) ? `${operator}${text}` : `${text}${operator}`;
  if (ts.isIdentifier(target)) {
    const variable = tracker.variable(target);
    if (variable === undefined) return tracker.childrenInPlace(node);
    const note = isUnused ? "incrementVariable" : "writeVariable";
    return `${tracker.use(note)}(${tracker.place(variable)}, ${around(target.text)})`;
  }
  if (ts.isElementAccessExpression(target)) {
    return around(elementText(target, tracker, isUnused ? "addToElement" : "writeElement"));
  }
  if (!tracker.isTrackedAccess(target)) return tracker.childrenInPlace(node);
  return around(propertyText(target, tracker, isUnused ? "increment" : "write"));
}

/** ` = value`, with what is between the target and the value. */
function rest(node: ts.BinaryExpression, tracker: Tracker, value = ""): string {
  const { left, operatorToken, right } = node;
  const gap = tracker.breaks(left, operatorToken);
  const text = value === "" ? tracker.text(right) : value;
  return `${gap} ${operatorToken.getText(tracker.file)}${tracker.breaks(operatorToken, right)} ${text}`;
}

function variableText(
  node: ts.BinaryExpression,
  target: ts.Identifier,
  tracker: Tracker,
): string | null {
  const variable = tracker.variable(target);
  if (variable === undefined) {
    return `${target.text}${rest(node, tracker)}`;
  }
  const place = tracker.place(variable);
  const assignment = `${target.text}${rest(node, tracker)}`;
  const isPlain = node.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  if (!isPlain && containsYield(node.right)) throw refusal(node, YIELD_BEHIND_READ);
  if (isLogical(node)) {
    const value = `${tracker.use("writeVariable")}(${place}, ${tracker.text(node.right)})`;
    const logical = `${target.text}${rest(node, tracker, value)}`;
    return `${tracker.use("readVariable")}(${place}, ${logical})`;
  }
  return `${tracker.use("writeVariable")}(${place}, ${assignment})`;
}

const YIELD_BEHIND_READ =
  "an assignment that reads before its value yields: put the value into a variable first";

function propertyAssignment(
  node: ts.BinaryExpression,
  target: ts.PropertyAccessExpression,
  tracker: Tracker,
): string {
  if (!tracker.isTrackedAccess(target)) {
    return `${tracker.text(target)}${rest(node, tracker)}`;
  }
  const object = target.expression;
  const isPlain = node.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  const yields = containsYield(node.right);
  if (yields && !isPlain) throw refusal(node, YIELD_BEHIND_READ);
  if ((yields || isLogical(node)) && isSimple(object, tracker)) {
    const args = `${tracker.text(node.right)}, ${tracker.raw(object)}, ${tracker.key(target.name.text)}`;
    const left = isPlain ? tracker.raw(target) : propertyText(target, tracker, "read");
    return `${left}${rest(node, tracker, `${tracker.use("afterWrite")}(${args})`)}`;
  }
  if (yields) throw refusal(node, "an assignment whose value yields: put it into a variable first");
  return `${propertyText(target, tracker, noteFor(node, target.name.text))}${rest(node, tracker)}`;
}

function noteFor(node: ts.BinaryExpression, name: string): string {
  if (name === "length") return "writeLength";
  return isSum(node) && isValueUnused(node) ? "addTo" : "write";
}

function elementAssignment(
  node: ts.BinaryExpression,
  target: ts.ElementAccessExpression,
  tracker: Tracker,
): string {
  if (containsYield(node.right)) {
    if (node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) {
      throw refusal(node, YIELD_BEHIND_READ);
    }
    const { expression, argumentExpression: index } = target;
    const args = [expression, index, node.right].map((each) => tracker.text(each));
    return `${tracker.use("setElement")}(${args.join(", ")})`;
  }
  const note = isSum(node) && isValueUnused(node) ? "addToElement" : "writeElement";
  return `${elementText(target, tracker, note)}${rest(node, tracker)}`;
}

/** `[a.p, b] = pair`: targets are noted in their places, variables once it is over. */
function patternAssignment(node: ts.BinaryExpression, target: ts.Node, tracker: Tracker): string {
  const variables: SharedVariable[] = [];
  let hasPlaces = false;
  forEachTarget(target, (each) => {
    const variable = tracker.variable(each);
    if (variable !== undefined) variables.push(variable);
    hasPlaces ||= !ts.isIdentifier(each);
  });
  if (hasPlaces && containsYield(node.right)) {
    throw refusal(node, "a pattern whose value yields: put it into a variable first");
  }
  refuseNested(target, tracker);
  const value = readsOfPattern(target, tracker.text(node.right), tracker);
  let text = `${targetText(node.left, tracker)}${rest(node, tracker, value)}`;
  for (const variable of variables) {
    text = `${tracker.use("writeVariable")}(${tracker.place(variable)}, ${text})`;
  }
  return text;
}

/** The text of what is assigned to. */
function targetText(node: ts.Node, tracker: Tracker): string {
  if (ts.isIdentifier(node)) return node.text;
  if (tracker.isTrackedAccess(node)) return propertyText(node, tracker, "write");
  if (ts.isElementAccessExpression(node)) return elementText(node, tracker, "writeElement");
  if (ts.isShorthandPropertyAssignment(node)) return shorthandText(node, tracker);
  if (isAssignment(node)) {
    return `${targetText(node.left, tracker)}${rest(node, tracker)}`;
  }
  const isPart =
    isWrapper(node) ||
    ts.isArrayLiteralExpression(node) ||
    ts.isObjectLiteralExpression(node) ||
    ts.isSpreadElement(node) ||
    ts.isSpreadAssignment(node) ||
    ts.isPropertyAssignment(node);
  return isPart
    ? tracker.childrenBy(node, (child) => partText(child, node, tracker))
    : tracker.text(node);
}

function partText(child: ts.Node, parent: ts.Node, tracker: Tracker): string {
  const isName = ts.isPropertyAssignment(parent) && parent.name === child;
  return isName || ts.isTypeNode(child) ? tracker.text(child) : targetText(child, tracker);
}

function shorthandText(node: ts.ShorthandPropertyAssignment, tracker: Tracker): string {
  const { name, objectAssignmentInitializer: byDefault } = node;
  return byDefault === undefined ? name.text : `${name.text} = ${tracker.text(byDefault)}`;
}

function isSum(node: ts.BinaryExpression): boolean {
  const { kind } = node.operatorToken;
  return kind === ts.SyntaxKind.PlusEqualsToken || kind === ts.SyntaxKind.MinusEqualsToken;
}

/** Assigns only if the value before is one of some kind. */
function isLogical(node: ts.BinaryExpression): boolean {
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
    case ts.SyntaxKind.BarBarEqualsToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken:
      return true;
    default:
      return false;
  }
}
