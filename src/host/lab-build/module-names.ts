/**
 * What the modules of a build say about names: which properties can change, and which cannot.
 *
 * A property whose name is assigned nowhere outside of constructors cannot change once its object
 * is there, so that its reads need no record. Names may also be computed, `counts[kind]++`: what
 * is computed was once a text, so that a property with the name of some text of the build counts
 * as assigned. A table is a constant in capitals, `PG`: none that is assigned to by its own name
 * nowhere is taken to change.
 */
import ts from "typescript";
import { forEachTarget, isAssignment, isOfNewObject, isStep, refusal } from "./syntax.ts";

export interface ModuleNames {
  /** Of properties, private ones with their "#". */
  readonly assigned: ReadonlySet<string>;
  /** Of every property that is named at all. */
  readonly mentioned: ReadonlySet<string>;
  /** Every text, those that are types too. */
  readonly texts: ReadonlySet<string>;
  /** Of tables of which something is assigned. */
  readonly assignedTables: ReadonlySet<string>;
  /** Of variables, imported ones and others alike. */
  readonly assignedVariables: ReadonlySet<string>;
}

/** The names of all modules of a build, or of several, together. */
export class ChangingNames {
  private readonly changing = new Set<string>();
  private readonly mentioned = new Set<string>();
  private readonly texts = new Set<string>();
  private readonly tables = new Set<string>();

  /** Adds those of a module; whether anything changes now that was taken to be fixed. */
  add({ assigned, mentioned, texts, assignedTables }: ModuleNames): boolean {
    const before = this.changing.size + this.tables.size;
    for (const name of assigned) this.changing.add(name);
    for (const name of assignedTables) this.tables.add(name);
    for (const name of mentioned) {
      this.mentioned.add(name);
      if (this.texts.has(name)) this.changing.add(name);
    }
    for (const text of texts) {
      this.texts.add(text);
      if (this.mentioned.has(text)) this.changing.add(text);
    }
    return this.changing.size + this.tables.size > before;
  }

  /** Whether a property of this name can change. */
  has(name: string): boolean {
    return this.changing.has(name);
  }

  /** Whether this is the name of a table that cannot. */
  isFixedTable(name: string): boolean {
    return TABLE.test(name) && !this.tables.has(name);
  }

  /** What of this concerns a module: with the same, its text is the same. */
  relevantTo({ mentioned }: ModuleNames): string {
    const names = [...mentioned].filter((name) => this.changing.has(name));
    return JSON.stringify([names.sort(), [...this.tables].sort()]);
  }
}

const TABLE = /^[A-Z][A-Z0-9_]*$/;

export function readModuleNames(file: ts.SourceFile): ModuleNames {
  const assigned = new Set<string>();
  const mentioned = new Set<string>();
  const texts = new Set<string>();
  const assignedTables = new Set<string>();
  const assignedVariables = new Set<string>();
  visit(file);
  return { assigned, mentioned, texts, assignedTables, assignedVariables };

  function visit(node: ts.Node): void {
    if (ts.isStringLiteralLike(node)) texts.add(node.text);
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (isAssignment(node)) forEachTarget(node.left, noteTarget);
    else if (isStep(node)) forEachTarget(node.operand, noteTarget);
    else if (ts.isDeleteExpression(node)) forEachTarget(node.expression, noteTarget);
    else if (ts.isForOfStatement(node) || ts.isForInStatement(node)) noteHead(node.initializer);
    if (ts.isPropertyAccessExpression(node)) mentioned.add(node.name.text);
    if (ts.isBindingElement(node)) noteBinding(node);
    if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) {
      if (ts.isIdentifier(node.name)) mentioned.add(node.name.text);
    }
    ts.forEachChild(node, visit);
  }

  function noteHead(head: ts.ForInitializer): void {
    if (!ts.isVariableDeclarationList(head)) forEachTarget(head, noteTarget);
  }

  function noteBinding({ name, propertyName }: ts.BindingElement): void {
    const property = propertyName ?? name;
    if (ts.isIdentifier(property)) mentioned.add(property.text);
  }

  function noteTable(target: ts.Node): void {
    if (!ts.isPropertyAccessExpression(target) && !ts.isElementAccessExpression(target)) return;
    const { expression } = target;
    if (ts.isIdentifier(expression) && TABLE.test(expression.text)) {
      assignedTables.add(expression.text);
    }
  }

  function noteTarget(target: ts.Node): void {
    noteTable(target);
    if (ts.isIdentifier(target)) {
      assignedVariables.add(target.text);
    } else if (ts.isPropertyAccessExpression(target)) {
      if (target.expression.kind === ts.SyntaxKind.SuperKeyword) {
        throw refusal(target, "an assignment to a property of super");
      }
      if (!isOfNewObject(target)) assigned.add(target.name.text);
    } else if (ts.isElementAccessExpression(target)) {
      const { argumentExpression: index } = target;
      if (ts.isStringLiteralLike(index)) assigned.add(index.text);
    }
  }
}

/** Small numbers for names, the same in every module of this process. */
export class NameIds {
  private readonly ids = new Map<string, number>();
  /** Below are those of names that every build has. */
  private next = 16;

  idOf(name: string): number {
    let id = this.ids.get(name);
    if (id === undefined) {
      id = name === "length" ? 1 : name === "size" ? 2 : this.next++;
      this.ids.set(name, id);
    }
    return id;
  }

  /** An id that no name has. */
  another(): number {
    return this.next++;
  }
}
