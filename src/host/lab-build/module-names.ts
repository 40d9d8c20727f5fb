/**
 * What a module says about names: which it changes, which it reads, which modules it imports.
 *
 * A property whose name is assigned nowhere outside of constructors cannot change once its object
 * is there, so that its reads need no record. The names that are assigned are those of the whole
 * build: `assignedNames` of all its modules together.
 */
import ts from "typescript";
import { forEachTarget, isAssignment, isOfNewObject, isStep, refusal } from "./syntax.ts";

export interface ModuleNames {
  /** Of properties, private ones with their "#". */
  readonly assigned: ReadonlySet<string>;
  /** Of every property that is named at all. */
  readonly mentioned: ReadonlySet<string>;
  /** Of variables, imported ones and others alike. */
  readonly assignedVariables: ReadonlySet<string>;
}

export function readModuleNames(file: ts.SourceFile): ModuleNames {
  const assigned = new Set<string>();
  const mentioned = new Set<string>();
  const assignedVariables = new Set<string>();
  visit(file);
  return { assigned, mentioned, assignedVariables };

  function visit(node: ts.Node): void {
    if (ts.isTypeNode(node)) return;
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

  function noteTarget(target: ts.Node): void {
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
