/** Calls of methods that collections have, of functions that look into objects, and `new`. */
import ts from "typescript";
import { isMaker, isNoted } from "./collection-methods.ts";
import { bare, hasEffects, refusal } from "./syntax.ts";
import { isSimple } from "./track-accesses.ts";
import { nameFor } from "./track-creation.ts";
import type { Tracker } from "./tracker.ts";

export function rewriteCall(node: ts.Node, tracker: Tracker): string | null {
  if (ts.isNewExpression(node)) return newText(node, tracker);
  if (ts.isSpreadElement(node)) {
    return `...${tracker.use("readAll")}(${tracker.text(node.expression)})`;
  }
  if (ts.isSpreadAssignment(node)) {
    return `...${tracker.use("readOwn")}(${tracker.text(node.expression)})`;
  }
  if (!ts.isCallExpression(node)) return null;
  const callee = bare(node.expression);
  if (!ts.isPropertyAccessExpression(callee)) return null;
  if (callee.expression.kind === ts.SyntaxKind.SuperKeyword) return null;
  return functionOfText(node, callee, tracker) ?? methodText(node, callee, tracker);
}

/** Functions of JavaScript that read all of their argument: by "Object.keys", who notes it. */
const READERS: Readonly<Record<string, "readAll" | "readOwn">> = {
  "Object.keys": "readOwn",
  "Object.values": "readOwn",
  "Object.entries": "readOwn",
  "Object.getOwnPropertyNames": "readOwn",
  "Object.fromEntries": "readAll",
  "Object.groupBy": "readAll",
  "Map.groupBy": "readAll",
  "Array.from": "readAll",
  "JSON.stringify": "readOwn",
  "Reflect.ownKeys": "readOwn",
};

/** What changes properties behind the names' back. */
const REFUSED: ReadonlySet<string> = new Set([
  "Object.assign",
  "Object.defineProperty",
  "Object.defineProperties",
  "Object.setPrototypeOf",
  "Reflect.set",
  "Reflect.defineProperty",
  "Reflect.deleteProperty",
  "Reflect.setPrototypeOf",
]);

function functionOfText(
  node: ts.CallExpression,
  callee: ts.PropertyAccessExpression,
  tracker: Tracker,
): string | null {
  const { expression: owner, name } = callee;
  if (!ts.isIdentifier(owner)) return null;
  const full = `${owner.text}.${name.text}`;
  const isOfViews = /^(Big)?(Ui|I)nt\d+(Clamped)?Array$|^Float\d+Array$/.test(owner.text);
  const reader = READERS[full] ?? (isOfViews && name.text === "from" ? "readAll" : undefined);
  if (REFUSED.has(full) || owner.text === "Atomics") throw refusal(node, full);
  const isMade = full === "Array.of" || (isOfViews && name.text === "of");
  if (reader === undefined && !isMade) {
    return STATELESS.has(owner.text) ? tracker.childrenInPlace(node) : null;
  }
  const args = argumentsText(node, tracker, reader ?? null);
  const text = `${tracker.use("made")}(${tracker.raw(callee)}(${args})`;
  return `${text}${tracker.missingBreaks(node, text)})`;
}

/** Owners of functions alone, some of which are named as methods of collections are. */
const STATELESS: ReadonlySet<string> = new Set([
  "Object",
  "Array",
  "Math",
  "JSON",
  "Number",
  "String",
  "Reflect",
  "Promise",
  "Symbol",
]);

/** The arguments, the first of them noted as read. */
function argumentsText(
  node: ts.CallExpression | ts.NewExpression,
  tracker: Tracker,
  reader: "readAll" | "readOwn" | null,
): string {
  const args = node.arguments;
  if (args === undefined) return "";
  const [first] = args;
  if (first === undefined || reader === null || ts.isSpreadElement(first)) {
    return tracker.list(args);
  }
  const rest = args.slice(1).map((arg) => tracker.text(arg));
  return [`${tracker.use(reader)}(${tracker.text(first)})`, ...rest].join(", ");
}

function methodText(
  node: ts.CallExpression,
  callee: ts.PropertyAccessExpression,
  tracker: Tracker,
): string | null {
  const { expression: owner, name } = callee;
  if (name.text === "call" || name.text === "apply" || name.text === "bind") {
    const method = bare(owner);
    if (ts.isPropertyAccessExpression(method) && isNoted(method.name.text)) {
      throw refusal(node, `${method.name.text} by way of ${name.text}`);
    }
  }
  if (isMaker(name.text)) return `${tracker.use("made")}(${tracker.childrenInPlace(node)})`;
  if (!isNoted(name.text)) return null;
  if (node.questionDotToken !== undefined && !tracker.tested.has(node)) {
    return optionalMethodText(node, callee, tracker);
  }
  let object = tracker.text(owner);
  if (tracker.isTrackedAccess(callee)) {
    object = `${tracker.use("read")}(${object}, ${tracker.key(name.text)})`;
  }
  if (!isSimple(owner, tracker) || node.arguments.some(hasEffects)) {
    object = `${tracker.use("callee")}(${object}, ${JSON.stringify(name.text)})`;
  }
  const gap = tracker.breaks(owner, name);
  const args = node.arguments.length === 0 ? "" : `, ${tracker.list(node.arguments)}`;
  const text = `${tracker.use("call")}(${object}${gap}, ${JSON.stringify(name.text)}${args}`;
  return `${text}${tracker.missingBreaks(node, text)})`;
}

/** `o.push?.(x)`: what it touches is noted before it is known whether there is such a method. */
function optionalMethodText(
  node: ts.CallExpression,
  { expression: owner, name }: ts.PropertyAccessExpression,
  tracker: Tracker,
): string {
  const noted = `${tracker.use("beforeCall")}(${tracker.text(owner)}, ${JSON.stringify(name.text)})`;
  return `${noted}${tracker.breaks(owner, name)}.${name.text}?.(${tracker.list(node.arguments)})`;
}

/** Collections that are made of what their first argument gives. */
const FILLED: ReadonlySet<string> = new Set(["Map", "Set", "WeakMap", "WeakSet"]);

function newText(node: ts.NewExpression, tracker: Tracker): string {
  const { expression } = node;
  const raw = tracker.raw(expression);
  const text = tracker.text(expression);
  const isFilled = FILLED.has(raw) || /^(Big)?[A-Z][a-z]+\d+(Clamped)?Array$/.test(raw);
  const args = argumentsText(node, tracker, isFilled ? "readAll" : null);
  const name = tracker.idOf(nameFor(node));
  const callee = text === raw ? text : `(${text})`;
  const named = name === 0 ? "" : `, ${name}`;
  const made = `${tracker.use("made")}(new ${callee}(${args})${named}`;
  return `${made}${tracker.missingBreaks(node, made)})`;
}
