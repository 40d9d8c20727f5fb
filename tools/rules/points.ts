/**
 * Every generator says what it is, so that the build for run-to-end cannot take it for another.
 *
 * That build sees syntax alone (tools/build/plain.ts); this sees types, and requires that both come
 * to the same end: the declared return type is the protocol's own `Steps` or `Blocking`, `yield*`
 * runs such a call, a sleep is on a `WaitQueue`, and a point is a string literal in a
 * statement of its own. An ordinary iterator runs no such call.
 */
import ts from "typescript";
import { isProtocolFunction, toPlain } from "../build/plain.ts";
import { ownFiles, pathOf, placeOf } from "./program.ts";
import { isProtocolType, isWaitQueue, mayBeGenerator } from "./protocol-types.ts";

const PROTOCOL_MODULE = "src/sched/blocking.ts";
/** It passes on the points of the call that it runs, whatever their names. */
const SCHEDULER = "src/sched/run.ts";

/** What the two builds would see differently in these folders. */
export function unclearGenerators(program: ts.Program, folders: readonly string[]): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const file of ownFiles(program, ...folders)) {
    const refusal = refusalOfPlainForm(file);
    if (refusal !== null) found.push(refusal);
    visit(file, null);
  }
  return found;

  function visit(node: ts.Node, around: ts.FunctionLikeDeclaration | null): void {
    const generator = isGenerator(node) ? node : null;
    const wrong = generator !== null ? wrongDeclaration(generator) : wrongYield(node, around);
    if (wrong !== null) found.push(`${placeOf(node)}: ${wrong}`);
    ts.forEachChild(node, (child) => visit(child, generator ?? around));
  }

  function wrongDeclaration(node: ts.FunctionLikeDeclaration): string | null {
    if (node.type === undefined) return "a generator without a declared return type";
    if (isProtocolFunction(node)) return isImpostor(node.type) ? "another type of that name" : null;
    const isMeant = isProtocolType(checker.getTypeFromTypeNode(node.type), checker);
    return isMeant ? "the type must be written Steps<...> or Blocking<...>" : null;
  }

  /** Whether the name `Steps` or `Blocking` does not come from the protocol's own module. */
  function isImpostor(type: ts.TypeNode): boolean {
    if (!ts.isTypeReferenceNode(type)) return false;
    const symbol = checker.getSymbolAtLocation(type.typeName);
    const isAlias = symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    const own = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
    const [declaration] = own?.declarations ?? [];
    return declaration === undefined || pathOf(declaration.getSourceFile()) !== PROTOCOL_MODULE;
  }

  function wrongYield(node: ts.Node, around: ts.FunctionLikeDeclaration | null): string | null {
    if (!ts.isYieldExpression(node) || node.expression === undefined || around === null)
      return null;
    const { asteriskToken, expression } = node;
    const type = checker.getTypeAtLocation(expression);
    if (asteriskToken === undefined) {
      const isPoint = ts.isStringLiteral(expression);
      if (!isProtocolFunction(around) || isPoint || isWaitQueue(type)) return null;
      if (pathOf(node.getSourceFile()) === SCHEDULER) return null;
      return `sleeps on what is no WaitQueue: ${checker.typeToString(type)}`;
    }
    const runsProtocol = mayBeGenerator(type) && isProtocolType(type, checker);
    if (!isProtocolFunction(around)) {
      return runsProtocol ? "an iterator runs a Steps or Blocking call" : null;
    }
    return runsProtocol ? null : `yield* of ${checker.typeToString(type)}, no Steps or Blocking`;
  }
}

function isGenerator(node: ts.Node): node is ts.FunctionLikeDeclaration {
  if (!ts.isFunctionLike(node) || !("asteriskToken" in node)) return false;
  return node.asteriskToken !== undefined && "body" in node && node.body !== undefined;
}

function refusalOfPlainForm(file: ts.SourceFile): string | null {
  try {
    toPlain(file.text, pathOf(file));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
