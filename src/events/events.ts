/**
 * The sink of one machine: what happened, counted, told and explained.
 *
 * `trace` is null unless somebody listens, so that an event on a hot path costs one test.
 */
import { type AllocRefusals, noAllocRefusals } from "./alloc-refusals.ts";
import { Refusals } from "./refusals.ts";
import { Vmstat } from "./vmstat.ts";

/** Takes one trace event as the kernel prints it, without task, time and flags. */
export interface TraceSink {
  event(name: string, text: string): void;
}

export class Events {
  readonly vmstat: Vmstat = new Vmstat();
  readonly refusals: Refusals = new Refusals();
  readonly allocRefusals: AllocRefusals = noAllocRefusals();
  trace: TraceSink | null = null;

  count(event: number, pages: number): void {
    this.vmstat.counts[event] += pages;
  }
}

/** Keeps every event as a line, `name: text`. */
export class TraceLines implements TraceSink {
  readonly lines: string[] = [];

  event(name: string, text: string): void {
    this.lines.push(`${name}: ${text}`);
  }
}
