/**
 * The build for run-to-end: `Steps` and `Blocking` generators become plain functions.
 *
 * Done to the text by syntax alone: a function is meant if it is a generator and its declared
 * return type is named `Steps` or `Blocking`. In it
 *
 *     function* f()          ->  function  f()
 *     yield* g(x)            ->  (g(x))
 *     yield "a point";       ->  ;
 *     yield queue;           ->  void (queue).wouldSleep();
 *
 * Any other `yield` in such a function is an error. All other functions, iterators included, are
 * left alone. Every line keeps its number. A replaced `yield` that begins a statement becomes
 * `void (...)`, because a bare `(` would continue a line before it that ends without a semicolon.
 */
import ts from "typescript";

/** What a generator is declared to return if it is one of the protocol. */
export const PROTOCOL_TYPES: ReadonlySet<string> = new Set(["Steps", "Blocking"]);

/** Replaces the characters from `start` to `end` of the source. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Gives the source of a TypeScript module as it runs in the build for run-to-end.
 *
 * `fileName` is for messages. Throws an `Error` that begins with `file:line` for a `yield` that
 * this build cannot express.
 */
export function toPlain(source: string, fileName: string): string {
  if (!source.includes("yield")) return source;
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.ES2023, true);
  const edits: Edit[] = [];
  visit(file, "outside");
  return apply(source, edits);

  function visit(node: ts.Node, where: "inside" | "outside"): void {
    if (isFunctionWithBody(node)) {
      visitFunction(node, where);
      return;
    }
    if (where === "inside" && ts.isYieldExpression(node)) edits.push(...editsOfYield(node, file));
    ts.forEachChild(node, (child) => visit(child, where));
  }

  /** A computed name is still evaluated by the function around; all else belongs to this one. */
  function visitFunction(node: ts.FunctionLikeDeclaration, around: "inside" | "outside"): void {
    const star = isProtocolFunction(node) ? node.asteriskToken : undefined;
    if (star !== undefined) edits.push({ start: star.getStart(file), end: star.end, text: " " });
    const where = star === undefined ? "outside" : "inside";
    ts.forEachChild(node, (child) => visit(child, child === node.name ? around : where));
  }
}

/** Whether `node` is a generator that is declared to return `Steps` or `Blocking`. */
export function isProtocolFunction(node: ts.Node): boolean {
  if (!isFunctionWithBody(node) || node.asteriskToken === undefined) return false;
  const { type } = node;
  if (type === undefined || !ts.isTypeReferenceNode(type)) return false;
  return ts.isIdentifier(type.typeName) && PROTOCOL_TYPES.has(type.typeName.text);
}

function isFunctionWithBody(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined;
}

function editsOfYield(node: ts.YieldExpression, file: ts.SourceFile): Edit[] {
  const start = node.getStart(file);
  const { asteriskToken, expression, parent } = node;
  if (expression === undefined) throw misuse(node, file, "a bare yield");
  if (asteriskToken !== undefined) {
    const open = startsStatement(node, file) ? "void (" : "(";
    return [
      { start, end: asteriskToken.end, text: open },
      { start: expression.end, end: expression.end, text: ")" },
    ];
  }
  if (!ts.isExpressionStatement(parent))
    throw misuse(node, file, "a yield that is not a statement");
  if (ts.isStringLiteral(expression)) {
    return [{ start: parent.getStart(file), end: parent.end, text: ";" }];
  }
  if (ts.isNoSubstitutionTemplateLiteral(expression) || ts.isTemplateExpression(expression)) {
    throw misuse(node, file, "a preemption point that is not a string literal");
  }
  return [
    { start, end: start + "yield".length, text: "void (" },
    { start: expression.end, end: expression.end, text: ").wouldSleep()" },
  ];
}

/** Whether nothing stands before `node` in its statement, as in `yield* f(), g();`. */
function startsStatement(node: ts.Node, file: ts.SourceFile): boolean {
  const start = node.getStart(file);
  let around = node.parent;
  while (!ts.isStatement(around) && around.getStart(file) === start) around = around.parent;
  return ts.isExpressionStatement(around) && around.getStart(file) === start;
}

function misuse(node: ts.Node, file: ts.SourceFile, what: string): Error {
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return new Error(
    `${file.fileName}:${line + 1}: ${what} in a Steps or Blocking function; ` +
      'only `yield* call`, `yield "point";` and `yield queue;` have a plain form',
  );
}

/** The edits do not overlap; two at one place are applied in the order in which they were found. */
function apply(source: string, edits: readonly Edit[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(source.slice(at, start), text, lineBreaks(source.slice(start, end)));
    at = end;
  }
  parts.push(source.slice(at));
  return parts.join("");
}

function lineBreaks(text: string): string {
  return text.replace(/[^\n]/g, "");
}
