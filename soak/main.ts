/**
 * `npm run soak -- [--minutes N] [--seed S] [--round R] [--json]`: machines under load, one after
 * the other, until the time is over.
 *
 * Ends with 0 if nothing was lost and every declared outcome occurred, with 1 if not, with 2 for
 * wrong usage. A failure names the round; `--seed S --round R` runs that round alone again.
 */
import { parseArgs } from "node:util";
import { Outcomes } from "./outcomes.ts";
import { runRound, shapeOf } from "./round.ts";

interface Options {
  readonly minutes: number;
  readonly seed: number;
  /** The one round to run, or null: as many as fit. */
  readonly round: number | null;
  readonly json: boolean;
}

const HELP = `usage: npm run soak -- [--minutes N] [--seed S] [--round R] [--json]

Machines under load, one after the other: every byte against a shadow, the whole machine checked
throughout, and how often each outcome and each refusal occurred.

  --minutes N   for how long, 1 by default; a round that has begun is ended
  --seed S      what everything follows from, 1 by default
  --round R     that round alone, as a failure names it
  --json        one JSON object instead of the table
`;

const options = readArguments();
const outcomes = new Outcomes();
const started = performance.now();
const totals = { rounds: 0, bursts: 0, checks: 0 };
const failure = runAll();
report();

/** Runs rounds until the time is over; what went wrong, or null. */
function runAll(): string | null {
  const { minutes, seed, round: only } = options;
  for (let round = only ?? 0; ; round++) {
    try {
      const { bursts, checks } = runRound(seed, round, outcomes);
      totals.rounds++;
      totals.bursts += bursts;
      totals.checks += checks;
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const again = `npm run soak -- --seed ${seed} --round ${round}`;
      return `round ${round} (${shapeOf(round).name}) failed; again: ${again}\n${what}`;
    }
    const seconds = (performance.now() - started) / 1000;
    if (process.stderr.isTTY) process.stderr.write(`\r${totals.rounds} rounds, ${seconds | 0} s `);
    if (only !== null || seconds >= minutes * 60) return null;
  }
}

function report(): void {
  const neverSeen = options.round === null ? outcomes.neverSeen() : [];
  const seconds = (performance.now() - started) / 1000;
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (options.json) {
    const counts = Object.fromEntries(outcomes.table());
    const { seed } = options;
    console.log(JSON.stringify({ seed, ...totals, seconds, outcomes: counts, neverSeen, failure }));
  } else {
    for (const [name, count] of outcomes.table()) {
      console.log(`${String(count).padStart(12)}  ${name}`);
    }
    console.log(
      `${totals.rounds} machines, ${totals.bursts} bursts, ${totals.checks} looks at everything, ` +
        `${seconds.toFixed(0)} s, seed ${options.seed}`,
    );
    for (const name of neverSeen) console.log(`never seen: ${name}`);
    console.log(failure ?? (neverSeen.length > 0 ? "not everything was reached" : "nothing lost"));
  }
  process.exitCode = failure !== null || neverSeen.length > 0 ? 1 : 0;
}

function readArguments(): Options {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: "string", default: "1" },
        seed: { type: "string", default: "1" },
        round: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const { minutes, seed, round, json, help } = values;
    if (help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    return {
      minutes: readNumber("--minutes", minutes),
      seed: readNumber("--seed", seed),
      round: round === undefined ? null : readNumber("--round", round),
      json,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(2);
  }
}

function readNumber(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number >= 0 && number < 2 ** 31) return number;
  throw new Error(`${name}: found ${JSON.stringify(text)}, expected a number from 0 up`);
}
