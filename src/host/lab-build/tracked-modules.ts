/**
 * The tracked texts of a build's modules, kept for all builds of this process.
 *
 * Only what is assigned somewhere can change, and what is assigned is known once every module was
 * read: a build in which a module brings new names in has to be made again. Names of earlier builds
 * stay: too many only cost time. The transform needs the compiler, which is loaded on demand.
 */
import { pathToFileURL } from "node:url";
import { InputError } from "../../base/input-error.ts";
import { packageFile } from "../package-root.ts";
import type { ChangingNames, ModuleSource } from "./track.ts";

/** The explorer's own state is nobody's step, and assertions have none. */
const UNTRACKED: readonly string[] = [
  "src/base/assert.ts",
  "src/sched/explore/",
  "src/sched/run.ts",
  "src/sched/task.ts",
  "src/lab/coverage.ts",
  "src/lab/explore-scenario.ts",
  "src/lab/explored.ts",
  "src/lab/kept-machine.ts",
  "src/lab/lab-program.ts",
  "src/lab/replay-scenario.ts",
  "src/lab/run-job.ts",
  "src/lab/session.ts",
  "src/lab/tell/",
];

type Transform = typeof import("./track.ts");

/** The folder of this package, with its slash. */
const PACKAGE = packageFile("/");

/** The functions that note touches: a module of the package like any other. */
const RECORDER = packageFile("src/sched/explore/tracked.ts");

export class TrackedModules {
  /** Whether a module of this build changes what was fixed in all that were read before it. */
  hasNewNames = false;
  private readonly transform: Transform;
  private readonly untracked = UNTRACKED.map((place) => packageFile(place));

  private constructor(transform: Transform) {
    this.transform = transform;
  }

  /** Throws an `InputError` that says what to install. */
  static async load(): Promise<TrackedModules> {
    try {
      return new TrackedModules(await import(transformFile()));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
      throw new InputError(
        "a tracked build",
        "no package typescript",
        "it: npm install typescript",
      );
    }
  }

  begin(): void {
    this.hasNewNames = false;
  }

  /** Whether the module at `place` is to be tracked. */
  takes(place: string): boolean {
    // The package itself lies in such a folder where it is installed, and is tracked all the same.
    const within = place.startsWith(PACKAGE) ? place.slice(PACKAGE.length) : place;
    if (/(^|\/)node_modules\//.test(within)) return false;
    return !this.untracked.some((untracked) => place.startsWith(untracked));
  }

  /** The tracked text of a module; its own while the build is one that will be made again. */
  textOf(place: string, source: string): string {
    const module = this.moduleOf(place, source);
    changing ??= new this.transform.ChangingNames();
    if (changing.add(module.names)) this.hasNewNames = true;
    return this.hasNewNames ? source : module.tracked(changing, RECORDER);
  }

  /** A mutant's text is a module of its own. */
  private moduleOf(place: string, source: string): ModuleSource {
    const key = `${place}\0${source}`;
    let module = known.get(key);
    if (module === undefined) {
      module = new this.transform.ModuleSource(source, place);
      known.set(key, module);
    }
    return module;
  }
}

let changing: ChangingNames | null = null;
const known = new Map<string, ModuleSource>();

/** Beside this file, or, when this is part of the built command, beside that. */
function transformFile(): string {
  if (import.meta.url.endsWith(".ts")) return new URL("./track.ts", import.meta.url).href;
  return pathToFileURL(packageFile("dist/track.js")).href;
}
