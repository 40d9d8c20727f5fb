/**
 * Everything in a folder explored: each scenario as the engine is, and with each of its mistakes.
 *
 * Modules are built here, one after the other, while workers explore those that are ready.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { assert } from "../../base/assert.ts";
import type { Exploration } from "../../lab/explore-scenario.ts";
import type { ExploredScenario } from "../../lab/explored.ts";
import type { SearchOptions } from "../../sched/explore/search.ts";
import { buildScenario } from "../lab-build/build-scenario.ts";
import { ExplorePool, HangError } from "./explore-pool.ts";
import type { Order } from "./explore-worker.ts";
import type { FoundMutant, ScenarioFile } from "./find-scenarios.ts";

/** For each search of a module: what came of each scenario. */
type BySearch = readonly (readonly Exploration[])[];

export interface ExploreOptions {
  readonly search: Partial<SearchOptions>;
  /** Of each search: after this it is ended, whatever it does. */
  readonly maxSeconds: number;
  readonly workers: number;
  /** Only scenarios whose name has this in it. */
  readonly only: string | null;
  /** Whether mutants are tried at all. */
  readonly mutants: boolean;
}

/** Explores `files`; `onScenario` hears of each scenario when all is known of it. */
export async function exploreFolder(
  files: readonly ScenarioFile[],
  options: ExploreOptions,
  onScenario: (explored: ExploredScenario) => void,
): Promise<ExploredScenario[]> {
  const explorer = new Explorer(options);
  try {
    const explored = files.map(async (each) => {
      const scenarios = await explorer.exploreFile(each);
      for (const scenario of scenarios) onScenario(scenario);
      return scenarios;
    });
    return (await Promise.all(explored)).flat();
  } finally {
    await explorer.close();
  }
}

/** The strategies that ask what each step touched. */
const READ_TOUCHES: ReadonlySet<string> = new Set(["auto", "reduced"]);

class Explorer {
  private readonly options: ExploreOptions;
  private readonly pool: ExplorePool;
  private lastBuild: Promise<unknown> = Promise.resolve();

  constructor(options: ExploreOptions) {
    this.options = options;
    this.pool = new ExplorePool(options.workers);
  }

  async close(): Promise<void> {
    await this.pool.close();
  }

  async exploreFile({ file, mutants }: ScenarioFile): Promise<ExploredScenario[]> {
    const { search } = this.options;
    const tried = this.options.mutants ? mutants : [];
    const ofEngine = this.explore(file, null, [search]);
    const ofMutants = tried.map(async (mutant, at) => ({
      mutant,
      number: at + 1,
      // With the same search as without the mistake, and with tasks in order.
      searches: await this.explore(file, mutant, [search, { ...search, strategy: "in-order" }]),
    }));
    const [engine, ...mutated] = await Promise.all([ofEngine, ...ofMutants]);
    const explorations = engine instanceof HangError ? [hung(file, engine)] : engine[0];
    return explorations.map((fixed, at) => ({
      file,
      fixed,
      mutants: mutated
        .filter(({ mutant }) => (mutant.scenario ?? fixed.name) === fixed.name)
        .map(({ mutant, number, searches }) => {
          const [found, inOrder] =
            searches instanceof HangError
              ? [hung(fixed.name, searches), hung(fixed.name, searches)]
              : [searches[0][at], searches[1][at]];
          const { what, source, says = null } = mutant;
          return { number, what, source, says, exploration: found, inOrder };
        }),
    }));
  }

  private async explore(
    file: string,
    mutant: FoundMutant | null,
    searches: readonly Partial<SearchOptions>[],
  ): Promise<BySearch | HangError> {
    const { only, maxSeconds } = this.options;
    const module = await this.build(file, mutant);
    try {
      const name = mutant === null ? file : mutant.source;
      const job = { file, only, searches };
      const order: Order = { kind: "explore", module: pathToFileURL(module).href, job };
      const answer = await this.pool.ask(order, name, maxSeconds * searches.length);
      assert(answer.kind === "explored", "a worker explores what it is to explore");
      return answer.explorations;
    } catch (error) {
      if (error instanceof HangError) return error;
      throw error;
    } finally {
      await rm(path.dirname(module), { recursive: true, force: true });
    }
  }

  /** One at a time, so that the first is ready soon. */
  private async build(file: string, mutant: FoundMutant | null): Promise<string> {
    const { strategy = "auto" } = this.options.search;
    const touches = READ_TOUCHES.has(strategy) ? "tracked" : "untracked";
    const build = this.lastBuild.then(() =>
      buildScenario(file, mutant === null ? { touches } : { touches, mutant }),
    );
    this.lastBuild = build.catch(() => {});
    return (await build).module;
  }
}

/** A step that never ends cannot be stopped, nor be told: all that is known is that it hangs. */
function hung(name: string, { message, seconds }: HangError): Exploration {
  return {
    name,
    verdict: "failed",
    schedules: 0,
    seconds,
    claim: "not finished",
    complete: false,
    coverage: { outcomes: {}, states: {}, points: {} },
    failure: { message, error: null, replay: "", run: null, story: null },
    finalStates: null,
  };
}
