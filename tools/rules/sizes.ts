/**
 * Modules and functions that one can take in at once, and modules that say what they are.
 *
 * A limit is not a target: a module over the wished size is told, one over the limit fails.
 */
import ts from "typescript";
import { isTest, type TextFile } from "./files.ts";

const MODULE_LINES = { wished: 300, most: 400, mostForTest: 600 };
const FUNCTION_LINES = 70;
const COLUMNS = 100;
const COMMENT = /^\s*(\/\*|\*|\/\/)/;
/** A module this short is its own header. */
const HEADERLESS_LINES = 30;

/** Modules, functions and lines over the limit, and modules without a header comment. */
export function oversized(files: readonly TextFile[]): string[] {
  return files.flatMap((file) => [
    ...longModule(file),
    ...longFunctions(file),
    ...longLines(file),
    ...missingHeader(file),
  ]);
}

/** Modules that may have a second idea in them. */
export function largerThanWished(files: readonly TextFile[]): string[] {
  return files
    .filter((file) => !isTest(file.path) && linesOf(file).length > MODULE_LINES.wished)
    .map((file) => `${file.path}: ${linesOf(file).length} lines: is there a second idea in it?`);
}

function longModule(file: TextFile): string[] {
  const lines = linesOf(file).length;
  const most = isTest(file.path) ? MODULE_LINES.mostForTest : MODULE_LINES.most;
  return lines > most ? [`${file.path}: ${lines} lines, at most ${most}`] : [];
}

function longFunctions({ path, text }: TextFile): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const found: string[] = [];
  visit(file);
  return found;

  function visit(node: ts.Node): void {
    if (ts.isFunctionLike(node)) {
      const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
      const last = file.getLineAndCharacterOfPosition(node.end).line;
      const lines = last - first + 1;
      if (lines > FUNCTION_LINES) {
        found.push(`${path}:${first + 1}: a function of ${lines} lines, at most ${FUNCTION_LINES}`);
      }
    }
    ts.forEachChild(node, visit);
  }
}

/** In comments; the formatter has the code, and a long message is better whole. */
function longLines(file: TextFile): string[] {
  return linesOf(file).flatMap((line, i) =>
    line.length > COLUMNS && COMMENT.test(line)
      ? [`${file.path}:${i + 1}: ${line.length} columns, at most ${COLUMNS}`]
      : [],
  );
}

function missingHeader(file: TextFile): string[] {
  if (isTest(file.path) || linesOf(file).length < HEADERLESS_LINES) return [];
  if (/^(#!.*\n)?\/\*\*/.test(file.text)) return [];
  return [`${file.path}: opens without a header comment (/** what it is ... */)`];
}

function linesOf({ text }: TextFile): string[] {
  return text.replace(/\n$/, "").split("\n");
}
