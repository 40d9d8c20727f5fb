/** Patterns: in declarations, parameters and the heads of loops; and the loops themselves. */
import ts from "typescript";
import { bare, containsYield, refusal } from "./syntax.ts";
import type { Tracker } from "./tracker.ts";

export function rewritePattern(node: ts.Node, tracker: Tracker): string | null {
  if (ts.isVariableDeclaration(node)) return declarationText(node, tracker);
  if (ts.isForOfStatement(node) || ts.isForInStatement(node)) return loopText(node, tracker);
  return isFunctionWithBody(node) ? functionText(node, tracker) : null;
}

/** `value` with notes of what taking it apart by `pattern` reads. */
export function readsOfPattern(pattern: ts.Node, value: string, tracker: Tracker): string {
  let text = value;
  for (const note of notesOfPattern(pattern, tracker)) {
    text =
      note.key === ""
        ? `${tracker.use(note.by)}(${text})`
        : `${tracker.use(note.by)}(${text}, ${note.key})`;
  }
  return text;
}

interface Note {
  readonly by: "read" | "readOwn" | "readTuple";
  readonly key: string;
}

function notesOfPattern(pattern: ts.Node, tracker: Tracker): Note[] {
  if (ts.isArrayBindingPattern(pattern) || ts.isArrayLiteralExpression(pattern)) {
    return [{ by: "readTuple", key: "" }];
  }
  if (!ts.isObjectBindingPattern(pattern) && !ts.isObjectLiteralExpression(pattern)) return [];
  const names: string[] = [];
  const parts: readonly ts.Node[] = ts.isObjectBindingPattern(pattern)
    ? pattern.elements
    : pattern.properties;
  for (const part of parts) {
    const name = nameInPattern(part);
    if (name === null) return [{ by: "readOwn", key: "" }];
    if (tracker.isTracked(name)) names.push(name);
  }
  return names.map((name) => ({ by: "read", key: tracker.key(name) }));
}

/** The property that a part of an object pattern takes; null for a computed one or for the rest. */
function nameInPattern(part: ts.Node): string | null {
  if (ts.isBindingElement(part)) {
    if (part.dotDotDotToken !== undefined) return null;
    return literalName(part.propertyName ?? part.name);
  }
  if (ts.isSpreadAssignment(part)) return null;
  return "name" in part ? literalName(part.name as ts.Node) : null;
}

function literalName(name: ts.Node): string | null {
  return ts.isIdentifier(name) || ts.isStringLiteral(name) || ts.isNumericLiteral(name)
    ? name.text
    : null;
}

/** Whether taking something apart by `pattern`, or by one in it, is to be noted. */
function isNotedPattern(pattern: ts.Node, tracker: Tracker): boolean {
  if (notesOfPattern(pattern, tracker).length > 0) return true;
  return patternsIn(pattern).some((inner) => isNotedPattern(inner, tracker));
}

/** An assignment has no place for what a pattern in its pattern takes apart. */
export function refuseNested(pattern: ts.Node, tracker: Tracker): void {
  for (const inner of patternsIn(pattern)) {
    if (!isNotedPattern(inner, tracker)) continue;
    throw refusal(inner, "a pattern in a pattern that reads what changes: take it apart in two");
  }
}

/**
 * `{ a, b: { c } } = value` as `{ a, b: x } = value, { c } = read(x, KEY)`: what a pattern in the
 * pattern takes apart comes after it, by a name of its own.
 */
function declarators(pattern: ts.BindingName, value: string, tracker: Tracker): string {
  const inner = patternsIn(pattern).filter((each) => isNotedPattern(each, tracker));
  const names = inner.map(() => tracker.temporary());
  for (const [at, each] of inner.entries()) tracker.replaced.set(each, names[at]);
  const own = `${tracker.text(pattern)} = ${readsOfPattern(pattern, value, tracker)}`;
  const others = inner.map((each, at) => {
    tracker.replaced.delete(each);
    return declarators(each as ts.BindingPattern, names[at], tracker);
  });
  return [own, ...others].join(", ");
}

function patternsIn(pattern: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  if (ts.isIdentifier(pattern)) return found;
  ts.forEachChild(pattern, (part) => {
    const inner = innerPattern(part);
    if (inner !== null) found.push(inner);
  });
  return found;
}

function innerPattern(part: ts.Node): ts.Node | null {
  let inner: ts.Node = part;
  if (ts.isBindingElement(part)) inner = part.name;
  else if (ts.isPropertyAssignment(part)) inner = bare(part.initializer);
  if (ts.isBinaryExpression(inner)) inner = bare(inner.left);
  const isPattern =
    ts.isArrayBindingPattern(inner) ||
    ts.isObjectBindingPattern(inner) ||
    ts.isArrayLiteralExpression(inner) ||
    ts.isObjectLiteralExpression(inner);
  return isPattern ? inner : null;
}

function declarationText(node: ts.VariableDeclaration, tracker: Tracker): string | null {
  const { name, initializer } = node;
  const variable = tracker.variable(name);
  const cell =
    variable === undefined || variable.cell === "0"
      ? ""
      : `, ${variable.cell} = ${tracker.use("cell")}()`;
  if (initializer === undefined) return cell === "" ? null : `${tracker.raw(node)}${cell}`;
  if (ts.isIdentifier(name)) return cell === "" ? null : `${tracker.childrenInPlace(node)}${cell}`;
  const value = `${tracker.breaks(name, initializer)}${tracker.text(initializer)}`;
  return declarators(name, value, tracker);
}

function loopText(node: ts.ForOfStatement | ts.ForInStatement, tracker: Tracker): string {
  const { initializer, expression, statement } = node;
  const { source, file } = tracker;
  const items = itemsText(node, tracker);
  const head = source.slice(node.getStart(file), initializer.getStart(file));
  const between = source.slice(initializer.end, expression.getStart(file));
  const behind = source.slice(expression.end, statement.getStart(file));
  const body = tracker.text(statement);
  const pattern = patternOfHead(initializer, tracker);
  if (pattern === null) {
    return `${head}${tracker.text(initializer)}${between}${items}${behind}${body}`;
  }
  const item = tracker.temporary();
  const [list] = (initializer as ts.VariableDeclarationList).declarations;
  const kind = tracker.source.slice(initializer.getStart(file), list.getStart(file));
  const taken = `${kind}${declarators(pattern, item, tracker)};`;
  return `${head}const ${item}${between}${items}${behind}{ ${taken} ${body} }`;
}

/** The pattern of a loop's head if taking it apart is to be noted. */
function patternOfHead(head: ts.ForInitializer, tracker: Tracker): ts.BindingPattern | null {
  if (!ts.isVariableDeclarationList(head)) {
    const target = bare(head);
    if (ts.isIdentifier(target) && tracker.variable(target) === undefined) return null;
    throw refusal(head, "a loop that assigns to what others see: declare a variable in its head");
  }
  const { name } = head.declarations[0];
  if (ts.isIdentifier(name)) {
    const variable = tracker.variable(name);
    if (variable === undefined || variable.cell === "0") return null;
    throw refusal(head, "the variable of this loop");
  }
  return isNotedPattern(name, tracker) ? name : null;
}

function itemsText(node: ts.ForOfStatement | ts.ForInStatement, tracker: Tracker): string {
  const { expression, statement } = node;
  if (ts.isForInStatement(node)) return `${tracker.use("readOwn")}(${tracker.text(expression)})`;
  if (node.awaitModifier !== undefined) return tracker.text(expression);
  if (!containsYield(statement)) return `${tracker.use("readAll")}(${tracker.text(expression)})`;
  const items = bare(expression);
  const isIterator =
    ts.isCallExpression(items) &&
    items.arguments.length === 0 &&
    items.questionDotToken === undefined &&
    ts.isPropertyAccessExpression(items.expression) &&
    items.expression.questionDotToken === undefined &&
    ["keys", "values", "entries"].includes(items.expression.name.text);
  const access = isIterator ? (items.expression as ts.PropertyAccessExpression) : null;
  const object = tracker.text(access?.expression ?? expression);
  return `${tracker.use("inSteps")}(${object}, "${access?.name.text ?? ""}")`;
}

type FunctionWithBody = ts.FunctionLikeDeclaration & { readonly body: ts.Block | ts.Expression };

function isFunctionWithBody(node: ts.Node): node is FunctionWithBody {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

/**
 * Parameters that are patterns are taken apart at the start of the body, and so are all behind
 * the first such, whose defaults may depend on it.
 */
function functionText(node: FunctionWithBody, tracker: Tracker): string | null {
  const { parameters, body } = node;
  const first = parameters.findIndex(
    ({ name, dotDotDotToken }) => dotDotDotToken === undefined && isNotedPattern(name, tracker),
  );
  if (first < 0) return null;
  const taken = parameters.slice(first).map((parameter) => takenApart(parameter, tracker));
  const declarations = taken.map(({ declaration }) => declaration).join(" ");
  const start = tracker.source.slice(node.getStart(tracker.file), parameters.pos);
  const before = parameters.slice(0, first).map((parameter) => tracker.text(parameter));
  const list = [...before, ...taken.map(({ name }) => name)].join(", ");
  const behind = tracker.source.slice(parameters.end, body.getStart(tracker.file));
  const text = tracker.text(body);
  const breaks = "\n".repeat(
    Math.max(
      0,
      countBreaks(tracker.source.slice(parameters.pos, parameters.end)) -
        countBreaks(list) -
        countBreaks(declarations),
    ),
  );
  const block = ts.isBlock(body)
    ? `{ ${declarations}${text.slice(1)}`
    : `{ ${declarations} return ${text}; }`;
  return `${start}${list}${breaks}${behind}${block}`;
}

function countBreaks(text: string): number {
  return text.split("\n").length - 1;
}

/** A parameter's name in the list, and the declaration that takes its place in the body. */
function takenApart(
  { name, initializer, dotDotDotToken }: ts.ParameterDeclaration,
  tracker: Tracker,
): { name: string; declaration: string } {
  const parameter = tracker.temporary();
  const byDefault =
    initializer === undefined
      ? parameter
      : `${parameter} === undefined ? ${tracker.text(initializer)} : ${parameter}`;
  return {
    name: dotDotDotToken === undefined ? parameter : `...${parameter}`,
    declaration: `let ${declarators(name, byDefault, tracker)};`,
  };
}
