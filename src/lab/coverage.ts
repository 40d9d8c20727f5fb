/**
 * What the runs of one search have seen: outcomes, states that must be reached, named points.
 *
 * A green search shows by this what it stood on. Counts are of runs, and of states for questions;
 * with a reduction they count the schedules that were run, not those that they stand for.
 */
export class Coverage {
  /** Runs by what came of them. */
  readonly outcomes: Map<string, number> = new Map();
  /** By question: after how many steps it held. */
  readonly states: Map<string, number> = new Map();
  /** By task, then by point: how often the task stood there. */
  readonly points: Map<string, Map<string, number>> = new Map();

  /** Another search begins. */
  restart(): void {
    this.outcomes.clear();
    this.states.clear();
    this.points.clear();
  }

  expect(name: string): void {
    if (!this.states.has(name)) this.states.set(name, 0);
  }

  reached(name: string): void {
    this.states.set(name, (this.states.get(name) ?? 0) + 1);
  }

  countOutcome(text: string): void {
    this.outcomes.set(text, (this.outcomes.get(text) ?? 0) + 1);
  }

  countPoint(task: string, point: string): void {
    let points = this.points.get(task);
    if (points === undefined) {
      points = new Map();
      this.points.set(task, points);
    }
    points.set(point, (points.get(point) ?? 0) + 1);
  }

  /** Questions that never held. */
  get unreached(): string[] {
    return [...this.states].filter(([, times]) => times === 0).map(([name]) => name);
  }
}
