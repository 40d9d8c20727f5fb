/**
 * Variables that more than one function sees and that change: state like any property.
 *
 * A `let` of a block gets a cell beside it, an object with a number, so that each time the block
 * runs its variable is another; a parameter, a `var` and the variable of a for-of loop share one
 * location over all their lives.
 */
import ts from "typescript";
import type { NameIds } from "./module-names.ts";
import { refusal } from "./syntax.ts";

export interface SharedVariable {
  readonly name: string;
  readonly id: number;
  /** The variable that holds the cell; "0" if there is none. */
  readonly cell: string;
  readonly declaration: ts.Node;
}

export class SharedVariables {
  /** By the identifier that names it, declarations included. */
  private readonly byIdentifier = new Map<ts.Node, SharedVariable>();

  /** `candidates` are the names that are assigned anywhere in the file. */
  constructor(
    file: ts.SourceFile,
    candidates: ReadonlySet<string>,
    ids: NameIds,
    cellPrefix: string,
  ) {
    if (candidates.size === 0) return;
    for (const [symbol, uses] of usesOf(file, candidates)) {
      const [declaration] = symbol.declarations ?? [];
      if (declaration === undefined || !isVariable(declaration)) continue;
      const home = functionAround(declaration);
      const isShared = uses.some((use) => functionAround(use) !== home);
      if (!isShared || !uses.some(isChanged)) continue;
      if (isExported(declaration) || isListed(declaration, exportedNames(file))) {
        throw refusal(declaration, `the exported variable ${symbol.name}, which changes`);
      }
      const id = ids.another();
      const cell = hasCell(declaration) ? `${cellPrefix}${id}` : "0";
      const variable = { name: symbol.name, id, cell, declaration };
      for (const use of uses) this.byIdentifier.set(use, variable);
    }
  }

  of(identifier: ts.Node): SharedVariable | undefined {
    return this.byIdentifier.get(identifier);
  }
}

/** Each symbol with one of these names, and the identifiers that mean it. */
function usesOf(file: ts.SourceFile, names: ReadonlySet<string>): Map<ts.Symbol, ts.Identifier[]> {
  const checker = checkerOf(file);
  const uses = new Map<ts.Symbol, ts.Identifier[]>();
  visit(file);
  return uses;

  function visit(node: ts.Node): void {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isIdentifier(node) && names.has(node.text) && isVariableName(node)) note(node);
    ts.forEachChild(node, visit);
  }

  function note(node: ts.Identifier): void {
    const symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : checker.getSymbolAtLocation(node);
    if (symbol === undefined) return;
    const known = uses.get(symbol);
    if (known === undefined) uses.set(symbol, [node]);
    else known.push(node);
  }
}

/** Sees this one file: what it imports and what is global has no declaration. */
function checkerOf(file: ts.SourceFile): ts.TypeChecker {
  const options: ts.CompilerOptions = {
    noLib: true,
    noResolve: true,
    allowJs: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
  };
  const host: ts.CompilerHost = {
    getSourceFile: (name) => (name === file.fileName ? file : undefined),
    getDefaultLibFileName: () => "",
    writeFile: () => {},
    getCurrentDirectory: () => "",
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => "\n",
    fileExists: (name) => name === file.fileName,
    readFile: () => undefined,
  };
  return ts.createProgram({ rootNames: [file.fileName], options, host }).getTypeChecker();
}

/** An identifier that may stand for a variable, and not for a property, a member or a label. */
function isVariableName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name !== node;
  if (ts.isBindingElement(parent)) return parent.propertyName !== node;
  if (ts.isPropertyAssignment(parent)) return parent.name !== node;
  if (ts.isExportSpecifier(parent) || ts.isImportSpecifier(parent)) return false;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent)) return false;
  return !(ts.isClassElement(parent) && parent.name === node);
}

function isVariable(declaration: ts.Declaration): boolean {
  return (
    ts.isVariableDeclaration(declaration) ||
    ts.isParameter(declaration) ||
    ts.isBindingElement(declaration) ||
    ts.isFunctionDeclaration(declaration)
  );
}

/** What runs `node`: field initialisers and static blocks run apart from the code around them. */
function functionAround(node: ts.Node): ts.Node | undefined {
  const own = ts.isFunctionDeclaration(node) ? node.parent : node;
  return ts.findAncestor(
    own,
    (each) =>
      ts.isFunctionLike(each) ||
      ts.isPropertyDeclaration(each) ||
      ts.isClassStaticBlockDeclaration(each) ||
      ts.isSourceFile(each),
  );
}

/** Whether this use changes the variable. */
function isChanged(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
    const { operator } = parent;
    return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
  }
  return ts.isExpression(node) && isAssignmentTarget(node);
}

function isAssignmentTarget(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken;
    const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
    return assigns && parent.left === node;
  }
  if (ts.isForOfStatement(parent) || ts.isForInStatement(parent))
    return parent.initializer === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node && inPattern(parent);
  if (ts.isShorthandPropertyAssignment(parent)) return parent.name === node && inPattern(parent);
  const isPart =
    ts.isParenthesizedExpression(parent) ||
    ts.isArrayLiteralExpression(parent) ||
    ts.isSpreadElement(parent) ||
    ts.isSpreadAssignment(parent);
  return isPart && isAssignmentTarget(parent);
}

function inPattern(property: ts.ObjectLiteralElementLike): boolean {
  return isAssignmentTarget(property.parent);
}

/** A `let` of its own statement or of a for loop: there a second declaration can stand. */
function hasCell(declaration: ts.Declaration): boolean {
  if (!ts.isVariableDeclaration(declaration)) return false;
  const list = declaration.parent;
  if (!ts.isVariableDeclarationList(list) || (list.flags & ts.NodeFlags.Let) === 0) return false;
  return ts.isVariableStatement(list.parent) || ts.isForStatement(list.parent);
}

function isExported(declaration: ts.Declaration): boolean {
  return (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export) !== 0;
}

function isListed(declaration: ts.Declaration, names: ReadonlySet<string>): boolean {
  const name = ts.getNameOfDeclaration(declaration);
  const isTop = functionAround(declaration)?.kind === ts.SyntaxKind.SourceFile;
  return isTop && name !== undefined && ts.isIdentifier(name) && names.has(name.text);
}

/** The names in `export { ... }`. */
function exportedNames(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier !== undefined) continue;
    const clause = statement.exportClause;
    if (clause === undefined || !ts.isNamedExports(clause)) continue;
    for (const { name, propertyName } of clause.elements) names.add((propertyName ?? name).text);
  }
  return names;
}
