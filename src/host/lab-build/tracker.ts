/**
 * The parts of the transform have this in common: the module's text, written out node by node.
 *
 * `text(node)` gives the code of a node in the tracked build. Whoever rewrites a node puts it
 * together from the texts of its children; every other node is its source with its children's
 * texts in place, so that all lines keep their numbers.
 */
import ts from "typescript";
import type { ChangingNames, NameIds } from "./module-names.ts";
import type { SharedVariable, SharedVariables } from "./shared-variables.ts";
import { isOfNewObject, lineBreaks } from "./syntax.ts";

/** Rewrites `node`, or gives null to leave it to others. */
export type Rewrite = (node: ts.Node, tracker: Tracker) => string | null;

/** A text that belongs at a place of the source. */
interface Insertion {
  readonly at: number;
  readonly text: string;
}

export class Tracker {
  readonly file: ts.SourceFile;
  readonly source: string;
  /** Stands before every name that the transform brings in; occurs nowhere in the source. */
  readonly prefix: string;
  /** Nodes whose value the text around them holds already, and the name that it has there. */
  readonly replaced: Map<ts.Node, string> = new Map();
  /** Links of optional chains whose `?.` has become a test before them. */
  readonly tested: Set<ts.Node> = new Set();
  /** Calls whose result is being given a name. */
  readonly namedCalls: Set<ts.Node> = new Set();
  private readonly names: ChangingNames;
  private readonly variables: SharedVariables;
  private readonly ids: NameIds;
  private readonly rewrites: readonly Rewrite[];
  /** A node is written once, however often its text is asked for. */
  private readonly texts = new Map<ts.Node, string>();
  private readonly used = new Set<string>();
  private readonly usedIds = new Map<number, string>();
  private readonly usedVariables = new Map<number, string>();
  private temporaries = 0;

  constructor(
    file: ts.SourceFile,
    prefix: string,
    names: ChangingNames,
    variables: SharedVariables,
    ids: NameIds,
    rewrites: readonly Rewrite[],
  ) {
    this.file = file;
    this.source = file.text;
    this.prefix = prefix;
    this.names = names;
    this.variables = variables;
    this.ids = ids;
    this.rewrites = rewrites;
  }

  text(node: ts.Node): string {
    const name = this.replaced.get(node);
    if (name !== undefined) return name;
    const before = this.texts.get(node);
    if (before !== undefined) return before;
    const text = this.write(node);
    this.texts.set(node, text);
    return text;
  }

  private write(node: ts.Node): string {
    if (isLeftAlone(node)) return this.raw(node);
    for (const rewrite of this.rewrites) {
      const text = rewrite(node, this);
      if (text !== null) return text;
    }
    return this.childrenInPlace(node);
  }

  /** The node's source with what `textOf` gives for its children. */
  childrenBy(node: ts.Node, textOf: (child: ts.Node) => string): string {
    const parts: string[] = [];
    let at = node.getStart(this.file);
    ts.forEachChild(node, (child) => {
      parts.push(this.source.slice(at, child.getStart(this.file)), textOf(child));
      at = child.end;
    });
    parts.push(this.source.slice(at, node.end));
    return parts.join("");
  }

  /** The node's source with the texts of its children, and perhaps one more text between them. */
  childrenInPlace(node: ts.Node, inserted: Insertion | null = null): string {
    const parts: string[] = [];
    let at = node.getStart(this.file);
    const copyTo = (end: number): void => {
      if (inserted !== null && inserted.at >= at && inserted.at <= end) {
        parts.push(this.source.slice(at, inserted.at), inserted.text);
        at = inserted.at;
        inserted = null;
      }
      parts.push(this.source.slice(at, end));
    };
    ts.forEachChild(node, (child) => {
      copyTo(child.getStart(this.file));
      parts.push(this.text(child));
      at = child.end;
    });
    copyTo(node.end);
    return parts.join("");
  }

  raw(node: ts.Node): string {
    return this.source.slice(node.getStart(this.file), node.end);
  }

  /** The line breaks between two nodes. */
  breaks(before: ts.Node, after: ts.Node): string {
    return lineBreaks(this.source, before.end, after.getStart(this.file));
  }

  /** The line breaks of `node` that `text`, which takes its place, does not have. */
  missingBreaks(node: ts.Node, text: string): string {
    const missing = this.raw(node).split("\n").length - text.split("\n").length;
    return "\n".repeat(Math.max(0, missing));
  }

  /** The text of a list's elements with commas, in brackets of the caller's. */
  list(nodes: ts.NodeArray<ts.Node>): string {
    const parts: string[] = [];
    let at = nodes.pos;
    for (const node of nodes) {
      parts.push(this.source.slice(at, node.getStart(this.file)), this.text(node));
      at = node.end;
    }
    parts.push(this.source.slice(at, nodes.end));
    return parts.join("");
  }

  /** The name by which the module calls `name`, a function of the recorder. */
  use(name: string): string {
    this.used.add(name);
    return `${this.prefix}${name}`;
  }

  temporary(): string {
    return `${this.prefix}${this.temporaries++}`;
  }

  idOf(name: string): number {
    if (name === "") return 0;
    const id = this.ids.idOf(name);
    this.usedIds.set(id, name);
    return id;
  }

  /** The key of a property in the recorder's form. */
  key(name: string): string {
    return String((this.idOf(name) << 2) | 1);
  }

  isTracked(name: string): boolean {
    return this.names.has(name) || name === "length" || name === "size";
  }

  /** Whether an access of this property is to be noted. */
  isTrackedAccess(node: ts.Node): node is ts.PropertyAccessExpression {
    if (!ts.isPropertyAccessExpression(node)) return false;
    if (node.expression.kind === ts.SyntaxKind.SuperKeyword) return false;
    if (this.isFixedTable(node.expression)) return false;
    return this.isTracked(node.name.text) && !isOfNewObject(node);
  }

  /** Whether `node` names a table of which nothing changes. */
  isFixedTable(node: ts.Node): boolean {
    return ts.isIdentifier(node) && this.names.isFixedTable(node.text);
  }

  variable(node: ts.Node): SharedVariable | undefined {
    return this.variables.of(node);
  }

  /** The first two arguments for what notes the touch of a variable. */
  place(variable: SharedVariable): string {
    this.usedVariables.set(variable.id, variable.name);
    return `${variable.cell}, ${(variable.id << 2) | 1}`;
  }

  /** What stands before the module's text, on its first line. */
  prelude(recorder: string): string {
    this.use("declare");
    const imports = [...this.used].map((name) => `${name} as ${this.prefix}${name}`).join(", ");
    const names = JSON.stringify([...this.usedIds]);
    const variables = JSON.stringify([...this.usedVariables]);
    return (
      `import { ${imports} } from ${JSON.stringify(recorder)}; ` +
      `${this.prefix}declare(${names}, ${variables}); `
    );
  }
}

/** Types, and statements that name modules. */
function isLeftAlone(node: ts.Node): boolean {
  return (
    ts.isTypeNode(node) ||
    ts.isTypeParameterDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node) ||
    (ts.isHeritageClause(node) && node.token === ts.SyntaxKind.ImplementsKeyword) ||
    (ts.canHaveModifiers(node) && hasDeclare(node))
  );
}

function hasDeclare(node: ts.HasModifiers): boolean {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) ?? false;
}
