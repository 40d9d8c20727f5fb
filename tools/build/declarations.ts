/**
 * The types that go with the library: a .d.ts for each module that an entry reaches.
 *
 * Made from one source at a time, as `isolatedDeclarations` allows. In the plain form they say what
 * `plain.ts` makes of the code: a `Steps<T>` or a `Blocking<T>` is a `T`. That holds of what is
 * exported and of what callers supply, so that types never promise a generator where there is none.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import ts from "typescript";
import { PROTOCOL_TYPES } from "./plain.ts";

export type Form = "plain" | "steps";

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  strict: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  isolatedDeclarations: true,
  declaration: true,
};

/** By path of the source: the text of its .d.ts, and the sources that it names. */
export class Declarations {
  private readonly made: Map<string, string> = new Map();

  /** What `entries` reach, they included. Throws an `Error` for a source that needs inference. */
  async reach(entries: readonly string[], form: Form): Promise<Map<string, string>> {
    const reached = new Map<string, string>();
    const open = [...entries];
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      if (reached.has(file)) continue;
      const text = await this.declarationOf(file);
      const shown = form === "plain" ? withoutProtocol(text) : text;
      const { specifiers, rewritten } = withJavaScriptNames(shown);
      reached.set(file, rewritten);
      for (const specifier of specifiers) open.push(path.join(path.dirname(file), specifier));
    }
    return reached;
  }

  private async declarationOf(file: string): Promise<string> {
    const made = this.made.get(file);
    if (made !== undefined) return made;
    const source = await readFile(file, "utf8");
    const { outputText, diagnostics = [] } = ts.transpileDeclaration(source, {
      fileName: file,
      compilerOptions: OPTIONS,
      reportDiagnostics: true,
    });
    if (diagnostics.length > 0) {
      const [{ messageText }] = diagnostics;
      throw new Error(`${file}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
    }
    this.made.set(file, outputText);
    return outputText;
  }
}

/** Has every `Steps<T>` and `Blocking<T>` of a declaration be `T`; other text stays as it is. */
export function withoutProtocol(declaration: string): string {
  const file = ts.createSourceFile("a.d.ts", declaration, ts.ScriptTarget.ES2023, true);
  return visit(file);

  function visit(node: ts.Node): string {
    const { parent } = node;
    if (ts.isTypeReferenceNode(node) && isProtocolType(node)) {
      const [result] = node.typeArguments ?? [];
      const text = visit(result).trim();
      return leading(node) + (standsAlone(node, parent) ? text : `(${text})`);
    }
    // Text between the children is kept: what is not replaced is not printed anew.
    let text = "";
    let at = node.pos;
    ts.forEachChild(node, (child) => {
      text += declaration.slice(at, child.pos) + visit(child);
      at = child.end;
    });
    return text + declaration.slice(at, node.end);
  }

  function leading(node: ts.Node): string {
    return declaration.slice(node.pos, node.getStart(file));
  }
}

function isProtocolType({ typeName, typeArguments }: ts.TypeReferenceNode): boolean {
  if (!ts.isIdentifier(typeName) || !PROTOCOL_TYPES.has(typeName.text)) return false;
  return typeArguments?.length === 1;
}

/** Whether a union may stand in its place as it is: what a function returns, what a name has. */
function standsAlone(node: ts.Node, parent: ts.Node): boolean {
  if (ts.isFunctionLike(parent)) return parent.type === node;
  const isNamed = ts.isTypeAliasDeclaration(parent) || ts.isPropertySignature(parent);
  return isNamed || ts.isParameter(parent) || isTypeArgument(node, parent);
}

function isTypeArgument(node: ts.Node, parent: ts.Node): boolean {
  return ts.isTypeReferenceNode(parent) && parent.typeName !== node;
}

/** "./a.ts" is "./a.js" for who imports the package; and which sources were named. */
function withJavaScriptNames(declaration: string): {
  readonly specifiers: readonly string[];
  readonly rewritten: string;
} {
  const specifiers: string[] = [];
  const pattern = /(\bfrom |\bimport\()"(\.[^"\n]*)\.ts"/g;
  const rewritten = declaration.replaceAll(pattern, (_all, before: string, name: string) => {
    specifiers.push(`${name}.ts`);
    return `${before}"${name}.js"`;
  });
  return { specifiers, rewritten };
}
