/**
 * The tracked build of one module: every read and write of what may change goes by the recorder.
 *
 * Done to the text over the syntax tree, before types are stripped, so that every line keeps its
 * number. A note is put around the object of an access and gives it back, and the access itself
 * stays what it was: order of evaluation, `this`, getters and private members are JavaScript's
 * own. What cannot be written so is refused with file and line.
 *
 * Not noted: parameters of rest, `arguments`, iterators that are kept over a yield, and methods
 * of collections that are called otherwise than as `object.method(...)`.
 */
import ts from "typescript";
import { ChangingNames, type ModuleNames, NameIds, readModuleNames } from "./module-names.ts";
import { SharedVariables } from "./shared-variables.ts";
import { rewriteAccess, rewriteChain } from "./track-accesses.ts";
import { rewriteAssignment } from "./track-assignments.ts";
import { rewriteCall } from "./track-calls.ts";
import { rewriteCreation } from "./track-creation.ts";
import { rewritePattern } from "./track-patterns.ts";
import { Tracker } from "./tracker.ts";

const REWRITES = [
  rewriteChain,
  rewriteCreation,
  rewriteCall,
  rewriteAssignment,
  rewriteAccess,
  rewritePattern,
];

export { ChangingNames };

/** One for all builds of this process, so that a module's text is the same in each. */
const ids = new NameIds();

/** A module as it is read once, whatever build it is then part of. */
export class ModuleSource {
  readonly names: ModuleNames;
  private readonly file: ts.SourceFile;
  private readonly prefix: string;
  private variables: SharedVariables | null = null;
  private readonly texts = new Map<string, string>();

  constructor(source: string, fileName: string) {
    this.file = ts.createSourceFile(fileName, source, ts.ScriptTarget.ES2023, true);
    this.names = readModuleNames(this.file);
    this.prefix = freePrefix(source);
  }

  /**
   * The module's text in the tracked build. `changing` are the names of all of its modules,
   * `recorder` is the path of the functions that note touches.
   */
  tracked(changing: ChangingNames, recorder: string): string {
    const key = `${recorder}\0${changing.relevantTo(this.names)}`;
    let text = this.texts.get(key);
    if (text === undefined) {
      text = this.write(changing, recorder);
      this.texts.set(key, text);
    }
    return text;
  }

  private write(changing: ChangingNames, recorder: string): string {
    const { file, prefix, names } = this;
    if (this.variables === null) {
      this.variables = new SharedVariables(file, names.assignedVariables, ids, `${prefix}c`);
    }
    const tracker = new Tracker(file, prefix, changing, this.variables, ids, REWRITES);
    const text = tracker.childrenInPlace(file);
    const head = file.text.slice(0, file.getStart(file));
    return `${tracker.prelude(recorder)}${head}${text}`;
  }
}

function freePrefix(source: string): string {
  let prefix = "_$";
  while (source.includes(prefix)) prefix += "$";
  return prefix;
}
