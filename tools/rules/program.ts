/** The project, or a made-up module, as the type checker sees it. */
import path from "node:path";
import ts from "typescript";
import { root } from "../build/sources.ts";

/** Every module that tsconfig.json includes. */
export function projectProgram(): ts.Program {
  const { fileNames, options } = readConfig();
  return ts.createProgram(fileNames, options);
}

/** One module that stands at `file`, a path from the root, whatever the disk has there. */
export function madeUpProgram(file: string, text: string): ts.Program {
  const options = { ...readConfig().options, noUnusedLocals: false };
  const place = path.join(root, file);
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => name === place || fileExists.call(host, name);
  host.getSourceFile = (name, target, ...rest) =>
    name === place
      ? ts.createSourceFile(name, text, target)
      : getSourceFile.call(host, name, target, ...rest);
  return ts.createProgram([place], options, host);
}

/** The project's own modules in `program`, with those of `folders` alone if any are named. */
export function ownFiles(program: ts.Program, ...folders: readonly string[]): ts.SourceFile[] {
  return program.getSourceFiles().filter((file) => {
    if (file.isDeclarationFile || program.isSourceFileFromExternalLibrary(file)) return false;
    return folders.length === 0 || folders.some((folder) => pathOf(file).startsWith(`${folder}/`));
  });
}

/** "src/memory/zone.ts:12", where `node` begins. */
export function placeOf(node: ts.Node): string {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
  return `${pathOf(file)}:${line + 1}`;
}

export function pathOf(file: ts.SourceFile): string {
  return path.relative(root, file.fileName).split(path.sep).join("/");
}

function readConfig(): ts.ParsedCommandLine {
  const { config, error } = ts.readConfigFile(path.join(root, "tsconfig.json"), ts.sys.readFile);
  if (error !== undefined)
    throw new Error(ts.flattenDiagnosticMessageText(error.messageText, "\n"));
  return ts.parseJsonConfigFileContent(config, ts.sys, root);
}
