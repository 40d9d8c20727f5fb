/**
 * Below host nothing uses what only Node has: `process`, `Buffer`, `import.meta.dirname`.
 *
 * The types of Node declare the globals of the web too; those are named here. A variable of our own
 * may have any name: the checker knows where each comes from.
 */
import ts from "typescript";
import { roomsWithNode } from "../layers.ts";
import { isTest } from "./files.ts";
import { ownFiles, pathOf, placeOf } from "./program.ts";

/** Declared by the types of Node, and there in every browser. */
const WEB_GLOBALS: ReadonlySet<string> = new Set([
  "AbortController",
  "AbortSignal",
  "Blob",
  "DecompressionStream",
  "ReadableStream",
  "Response",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "clearInterval",
  "clearTimeout",
  "console",
  "crypto",
  "performance",
  "queueMicrotask",
  "setInterval",
  "setTimeout",
  "structuredClone",
]);

/** Uses of Node's own globals in the rooms of src/ that have to run in a browser. */
export function nodeGlobals(program: ts.Program): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const file of ownFiles(program, "src", "web")) if (runsInBrowser(pathOf(file))) visit(file);
  return found;

  function visit(node: ts.Node): void {
    const name = nodeOnlyName(node);
    if (name !== null) found.push(`${placeOf(node)}: uses ${name}, which a browser does not have`);
    ts.forEachChild(node, visit);
  }

  function nodeOnlyName(node: ts.Node): string | null {
    if (ts.isMetaProperty(node) && ts.isPropertyAccessExpression(node.parent)) {
      const { text } = node.parent.name;
      return text === "url" ? null : `import.meta.${text}`;
    }
    if (!ts.isIdentifier(node) || WEB_GLOBALS.has(node.text) || isMemberName(node)) return null;
    const declarations = checker.getSymbolAtLocation(node)?.declarations ?? [];
    const isOfNode = declarations.length > 0 && declarations.every(isInTypesOfNode);
    return isOfNode ? node.text : null;
  }
}

function runsInBrowser(file: string): boolean {
  return !isTest(file) && !roomsWithNode.some((room) => file.startsWith(`src/${room}/`));
}

/** `b` in `a.b`, unless `a` is the global object: its type may come from anywhere. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) {
    return parent.name === node && parent.expression.getText() !== "globalThis";
  }
  return ts.isQualifiedName(parent) && parent.right === node;
}

function isInTypesOfNode(declaration: ts.Declaration): boolean {
  return declaration.getSourceFile().fileName.includes("/node_modules/@types/node/");
}
