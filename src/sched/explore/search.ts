/**
 * A search: runs of one program, under a strategy, for each plan of choices, until a run fails,
 * everything was tried, or the budget is spent; and what it may then claim.
 *
 * A search that must not miss anything explores all schedules of the plan without choices, then
 * those of each plan with one choice more among those that came up, and so on: values without end,
 * faults up to `maxFaults` in one run. A sampling search draws schedules and choices together; each
 * run has some kinds of faults switched on and the others off (swarm testing: Groce et al., ISSTA
 * 2012), for a fault that comes too often hides the others.
 */
import { Random } from "../../base/random.ts";
import {
  type ChoiceKind,
  ChoicePoints,
  type Chooser,
  type MetChoice,
  type Plan,
  planText,
} from "./choice-points.ts";
import type { Start } from "./program.ts";
import { type RunEnd, type RunListener, runSchedule } from "./run-schedule.ts";
import { BoundedSearch } from "./strategies/bounded-search.ts";
import { InOrder } from "./strategies/in-order.ts";
import { Pct } from "./strategies/pct.ts";
import { RandomWalk } from "./strategies/random-walk.ts";
import { ReducedSearch } from "./strategies/reduced-search.ts";
import type { Strategy } from "./strategy.ts";
import { isTracked } from "./touch.ts";

/** How to search; `auto` is what to use when nothing is known of the program. */
export const STRATEGY_NAMES = [
  "auto",
  "reduced",
  "all",
  "preemptions",
  "pct",
  "random",
  "in-order",
] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

export interface SearchOptions {
  readonly strategy: StrategyName;
  /** For "preemptions": at most so many in a run. */
  readonly preemptions: number;
  /** For "pct": how many steps must come in one order for the bug to show. */
  readonly depth: number;
  readonly seed: number;
  /** Runs after which the search gives up. */
  readonly maxSchedules: number;
  /** Seconds after which it does. */
  readonly maxSeconds: number;
  /** Steps after which a run goes on with everybody in turn. */
  readonly maxSteps: number;
  /** Faults in one run. */
  readonly maxFaults: number;
}

export const SEARCH_DEFAULTS: SearchOptions = {
  strategy: "auto",
  preemptions: 2,
  depth: 3,
  seed: 1,
  maxSchedules: Number.POSITIVE_INFINITY,
  maxSeconds: 60,
  maxSteps: 5000,
  maxFaults: 1,
};

/** Schedules with one preemption that are tried before anything else. */
const FIRST_LOOK = 300;

/** A run that failed, and all that repeats it. */
export interface Failure {
  readonly error: unknown;
  readonly actors: readonly number[];
  readonly plan: Plan;
}

/** What a search has shown. */
export interface SearchResult {
  /** Runs to their end; one that failed among them. */
  readonly schedules: number;
  /** Runs that were cut short because they showed what others do. */
  readonly abandoned: number;
  /** Plans of choices under which all this was done. */
  readonly plans: number;
  readonly failure: Failure | null;
  /** Whether nothing was left out; false after a failure, which ends the search. */
  readonly complete: boolean;
  /** In words, what the runs stand for. */
  readonly claim: string;
}

/** Explores `start` as `options` say. `listener` hears every run. */
export function search(start: Start, options: SearchOptions, listener?: RunListener): SearchResult {
  return new Search(start, options, listener).result();
}

class Search {
  private readonly start: Start;
  private readonly options: SearchOptions;
  private readonly listener: RunListener | undefined;
  private readonly deadline: number;
  private readonly random: Random;
  private limit: number;
  private schedules = 0;
  private abandoned = 0;
  private plans = 0;
  private failure: Failure | null = null;
  private tooLong = false;
  /** A plan with one fault more would have been there to try. */
  private hasMoreFaults = false;
  private readonly kindOf = new Map<string, ChoiceKind>();

  constructor(start: Start, options: SearchOptions, listener: RunListener | undefined) {
    this.start = start;
    this.options = options;
    this.listener = listener;
    this.limit = options.maxSchedules;
    this.deadline = performance.now() + options.maxSeconds * 1000;
    this.random = new Random(options.seed);
  }

  result(): SearchResult {
    const { strategy, preemptions, depth } = this.options;
    if (strategy === "pct")
      return this.sample(new Pct(this.random, depth), `pct of depth ${depth}`);
    if (strategy === "random") return this.sample(new RandomWalk(this.random), "at random");
    if (strategy === "reduced") return this.reduced();
    if (strategy === "all") return this.exhaust(() => new BoundedSearch(), allThereAre);
    if (strategy === "preemptions") return this.bounded(preemptions);
    if (strategy === "in-order") return this.inOrder();
    return this.auto();
  }

  /**
   * Most mistakes need one preemption: those schedules come first, if they are few. Then one of
   * each kind where that is known, else all with two preemptions, three, and so on.
   */
  private auto(): SearchResult {
    const { maxSchedules } = this.options;
    this.limit = Math.min(maxSchedules, FIRST_LOOK);
    let found = this.bounded(1);
    this.limit = maxSchedules;
    if (found.failure !== null || found.complete) return found;
    if (isTracked()) {
      this.startOver();
      const next = this.reduced();
      // What the first look has shown stays shown, if the rest is not finished.
      const isWorse = !next.complete && next.failure === null && found.claim.startsWith("bounded");
      return isWorse ? { ...next, claim: found.claim } : next;
    }
    for (let bound = 2; !found.complete && found.failure === null && !this.isSpent; bound++) {
      this.startOver();
      const next = this.bounded(bound);
      const isWorse = this.isSpent && found.claim.startsWith("bounded");
      found = isWorse && next.failure === null ? { ...next, claim: found.claim } : next;
    }
    return found;
  }

  /**
   * One schedule of each kind. What a run makes and keeps for all that follow would be a fresh
   * object in the first alone, so it is made before that; if it fails, the first run tells.
   */
  private reduced(): SearchResult {
    try {
      this.start(new ChoicePoints());
    } catch {}
    return this.exhaust(() => new ReducedSearch(), oneOfEachKind);
  }

  /** Each task to its end or its sleep before the next, without faults. */
  private inOrder(): SearchResult {
    const strategy = new InOrder();
    do {
      this.plans = 1;
      this.run(strategy, new ChoicePoints());
      if (this.failure !== null) return this.found();
    } while (strategy.end());
    const claim = `in order: ${count(this.schedules)} without preemption`;
    return { ...this.soFar(), complete: false, claim };
  }

  /** What the next search counts stands for itself: it repeats what was tried before. */
  private startOver(): void {
    this.schedules = 0;
    this.plans = 0;
    this.listener?.restarted?.();
  }

  /** All schedules with few preemptions; all there are, if the bound kept none out. */
  private bounded(bound: number): SearchResult {
    let cut = false;
    const searches: BoundedSearch[] = [];
    const found = this.exhaust(
      () => {
        const next = new BoundedSearch(bound);
        searches.push(next);
        return next;
      },
      (schedules) => {
        cut = searches.some((each) => each.cut);
        return cut
          ? `bounded: every schedule with up to ${bound} preemptions, ${count(schedules)}`
          : allThereAre(schedules);
      },
    );
    return { ...found, complete: found.complete && !cut };
  }

  private exhaust(
    newStrategy: () => Strategy,
    claimOf: (schedules: number) => string,
  ): SearchResult {
    const plans: Plan[] = [new Map()];
    const known = new Set([""]);
    for (const plan of plans) {
      this.plans++;
      const met = new Map<string, MetChoice>();
      const strategy = newStrategy();
      for (let more = true; more; ) {
        const choices = new ChoicePoints(plan);
        this.run(strategy, choices);
        for (const choice of choices.met) met.set(choice.key, choice);
        more = strategy.end();
        if (this.failure !== null) return this.found();
        if (more && this.isSpent) return this.unfinished();
      }
      for (const choice of met.values()) this.kindOf.set(choice.key, choice.kind);
      this.addPlans(plans, known, plan, met.values());
      if (plans.length > this.plans && this.isSpent) return this.unfinished();
    }
    const claim = claimOf(this.schedules);
    const { maxSteps } = this.options;
    const steps = this.tooLong ? `, each looked at for ${maxSteps} steps` : "";
    return { ...this.soFar(), complete: !this.tooLong, claim: claim + this.ofPlans() + steps };
  }

  /** Adds each plan that has one choice more, and was not yet there. */
  private addPlans(plans: Plan[], known: Set<string>, plan: Plan, met: Iterable<MetChoice>): void {
    const faults = [...plan.keys()].filter((key) => this.kindOf.get(key) === "fault").length;
    for (const { key, kind, limit } of met) {
      if (plan.has(key)) continue;
      if (kind === "fault" && faults >= this.options.maxFaults) {
        this.hasMoreFaults = true;
        continue;
      }
      for (let value = 1; value < limit; value++) {
        const next = new Map(plan).set(key, value);
        const text = planText(next);
        if (known.has(text)) continue;
        known.add(text);
        plans.push(next);
      }
    }
  }

  /** Draws runs until the budget is spent. */
  private sample(strategy: Strategy, how: string): SearchResult {
    do {
      this.plans = 1;
      this.run(strategy, new ChoicePoints(new Map(), this.drawFaults()));
      strategy.end();
      if (this.failure !== null) return this.found();
    } while (!this.isSpent);
    const claim = `sampled: ${count(this.schedules)} ${how}, seed ${this.options.seed}`;
    return { ...this.soFar(), complete: false, claim };
  }

  /** Some kinds of faults are on in this run, each comes now and then; values are drawn freely. */
  private drawFaults(): Chooser {
    const { random } = this;
    const { maxFaults } = this.options;
    const isOn = new Map<string, boolean>();
    let faults = 0;
    return ({ key, kind, limit }) => {
      if (kind === "value") return random.below(limit);
      const name = key.slice(key.indexOf(": "), key.lastIndexOf(" #"));
      const on = isOn.get(name) ?? random.chance(0.5);
      isOn.set(name, on);
      if (!on || faults >= maxFaults || !random.chance(0.2)) return 0;
      faults++;
      return 1 + random.below(limit - 1);
    };
  }

  private run(strategy: Strategy, choices: ChoicePoints): void {
    const { start, options, listener } = this;
    const end: RunEnd = runSchedule(start, strategy, choices, options.maxSteps, listener);
    if (end.end === "abandoned") this.abandoned++;
    else this.schedules++;
    if (end.tooLong) this.tooLong = true;
    if (end.end === "failed") {
      this.failure = { error: end.error, actors: end.actors, plan: end.plan };
    }
  }

  private get isSpent(): boolean {
    if (this.schedules + this.abandoned >= this.limit) return true;
    return performance.now() >= this.deadline;
  }

  private found(): SearchResult {
    return { ...this.soFar(), complete: false, claim: `failed at schedule ${this.schedules}` };
  }

  private unfinished(): SearchResult {
    const claim = `sampled: the first ${count(this.schedules)} of a search that was not finished`;
    return { ...this.soFar(), complete: false, claim };
  }

  private ofPlans(): string {
    const { maxFaults } = this.options;
    const plans = this.plans === 1 ? "" : `, under ${this.plans} plans of faults and values`;
    return this.hasMoreFaults ? `${plans}, with at most ${maxFaults} faults in a run` : plans;
  }

  private soFar(): Omit<SearchResult, "complete" | "claim"> {
    const { schedules, abandoned, plans, failure } = this;
    return { schedules, abandoned, plans, failure };
  }
}

function allThereAre(schedules: number): string {
  return schedules === 1 ? "exhaustive: the only schedule" : `exhaustive: all ${count(schedules)}`;
}

function oneOfEachKind(schedules: number): string {
  return `exhaustive: ${count(schedules)} stand for all, by what their steps touched`;
}

function count(schedules: number): string {
  return `${schedules.toLocaleString("en-US")} schedule${schedules === 1 ? "" : "s"}`;
}
