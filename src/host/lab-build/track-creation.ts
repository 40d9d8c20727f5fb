/** Literals, classes and what is named by what it is made for. */
import ts from "typescript";
import { isOfNewObject, isWrapper } from "./syntax.ts";
import type { Tracker } from "./tracker.ts";

export function rewriteCreation(node: ts.Node, tracker: Tracker): string | null {
  if (ts.isObjectLiteralExpression(node)) return recordText(node, tracker);
  if (ts.isArrayLiteralExpression(node)) return arrayText(node, tracker);
  if (ts.isClassLike(node)) return classText(node, tracker);
  if (node.kind === ts.SyntaxKind.RegularExpressionLiteral) return patternText(node, tracker);
  return isNamedCall(node) ? namedText(node, tracker) : null;
}

/** The property or variable that the value of `node` goes to, as it is; "" for none. */
export function nameFor(node: ts.Node): string {
  const { parent } = node;
  if (isWrapper(parent)) return nameFor(parent);
  if (ts.isPropertyDeclaration(parent) || ts.isPropertyAssignment(parent)) {
    return parent.initializer === node ? nameText(parent.name) : "";
  }
  if (ts.isVariableDeclaration(parent)) return nameText(parent.name);
  if (!ts.isBinaryExpression(parent) || parent.right !== node) return "";
  if (parent.operatorToken.kind !== ts.SyntaxKind.EqualsToken) return "";
  return ts.isPropertyAccessExpression(parent.left) ? nameText(parent.left.name) : "";
}

function nameText(name: ts.Node): string {
  return ts.isIdentifier(name) || ts.isPrivateIdentifier(name) ? name.text : "";
}

/** A record whose keys are all written out and never assigned cannot change: it needs no number. */
function recordText(node: ts.ObjectLiteralExpression, tracker: Tracker): string | null {
  if (node.properties.length > 0 && !node.properties.some(mayChange)) return null;
  return madeText("madeRecord", node, tracker);

  function mayChange(property: ts.ObjectLiteralElementLike): boolean {
    const { name } = property;
    if (name === undefined || ts.isComputedPropertyName(name)) return true;
    return "text" in name && tracker.isTracked(name.text);
  }
}

function arrayText(node: ts.ArrayLiteralExpression, tracker: Tracker): string | null {
  const { parent } = node;
  const isConstant = ts.isAsExpression(parent) && parent.type.getText() === "const";
  return isConstant ? null : madeText("madeArray", node, tracker);
}

function madeText(made: string, node: ts.Node, tracker: Tracker): string {
  const name = tracker.idOf(nameFor(node));
  const named = name === 0 ? "" : `, ${name}`;
  return `${tracker.use(made)}(${tracker.childrenInPlace(node)}${named})`;
}

/** Only a global or sticky pattern has a state. */
function patternText(node: ts.Node, tracker: Tracker): string | null {
  const text = tracker.raw(node);
  return /[gy][a-z]*$/.test(text) ? `${tracker.use("made")}(${text})` : null;
}

/** The first field of each class gives the object its number, before anything can touch it. */
function classText(node: ts.ClassLikeDeclaration, tracker: Tracker): string {
  const id = tracker.idOf(node.name?.text ?? "");
  const first = ` #${tracker.prefix}n = ${tracker.use("madeInstance")}(this, ${id});`;
  const hasStatics = node.members.some(
    (member) => ts.isPropertyDeclaration(member) && isStatic(member),
  );
  const own = hasStatics ? ` static { ${tracker.use("made")}(this, ${id}); }` : "";
  return tracker.childrenInPlace(node, { at: node.members.pos, text: first + own });
}

/** What a call gave for a property of a new object: the property names it, if nothing did yet. */
function isNamedCall(node: ts.Node): node is ts.CallExpression {
  if (!ts.isCallExpression(node)) return false;
  const { parent } = node;
  if (ts.isPropertyDeclaration(parent)) return parent.initializer === node;
  if (!ts.isBinaryExpression(parent) || parent.right !== node) return false;
  return ts.isPropertyAccessExpression(parent.left) && isOfNewObject(parent.left);
}

function namedText(node: ts.CallExpression, tracker: Tracker): string | null {
  const name = tracker.idOf(nameFor(node));
  if (name === 0 || tracker.namedCalls.has(node)) return null;
  tracker.namedCalls.add(node);
  return `${tracker.use("named")}(${tracker.text(node)}, ${name})`;
}

function isStatic(member: ts.PropertyDeclaration): boolean {
  return member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword) ?? false;
}
