/**
 * Worker threads that explore, each one module at a time.
 *
 * Which worker takes which module is left to chance; what comes of it is not, for a module's
 * searches depend on nothing outside of it. A worker that does not answer within the time that its
 * searches may take is ended, with what it had in hand told as a failure: a step that never ends
 * cannot be stopped otherwise.
 */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { InputError } from "../../base/input-error.ts";
import { packageFile } from "../package-root.ts";
import type { Answer, Order } from "./explore-worker.ts";

interface Waiting {
  readonly order: Order;
  /** What is explored, as messages name it. */
  readonly name: string;
  readonly maxSeconds: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A module did not answer in time. */
export class HangError extends Error {
  override readonly name = "HangError";
  /** How long it was waited for. */
  readonly seconds: number;

  constructor(seconds: number) {
    super(`no answer after ${seconds} s: a loop without a point in it?`);
    this.seconds = seconds;
  }
}

export class ExplorePool {
  private readonly size: number;
  private readonly waiting: Waiting[] = [];
  private readonly idle: Worker[] = [];
  private readonly workers: Set<Worker> = new Set();

  constructor(size: number) {
    this.size = size;
  }

  /** Rejects with an `InputError` for a module that is no good, with a `HangError` if it hangs. */
  ask(order: Order, name: string, maxSeconds: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ order, name, maxSeconds, resolve, reject });
      this.next();
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.workers].map((worker) => worker.terminate()));
  }

  private next(): void {
    if (this.waiting.length === 0) return;
    const worker = this.idle.pop() ?? (this.workers.size < this.size ? this.begin() : undefined);
    if (worker === undefined) return;
    const task = this.waiting.shift();
    if (task !== undefined) this.give(worker, task);
  }

  private begin(): Worker {
    const worker = new Worker(workerFile(), { execArgv: [] });
    this.workers.add(worker);
    return worker;
  }

  private give(worker: Worker, { order, name, maxSeconds, resolve, reject }: Waiting): void {
    const fail = (error: Error): void => {
      this.workers.delete(worker);
      void worker.terminate();
      reject(error);
      this.next();
    };
    const timer = setTimeout(() => {
      fail(new HangError(maxSeconds));
    }, maxSeconds * 1000);
    worker.removeAllListeners("error");
    worker.once("error", (error) => {
      clearTimeout(timer);
      fail(error);
    });
    worker.once("message", (answer: Answer) => {
      clearTimeout(timer);
      this.idle.push(worker);
      if (answer.kind === "broken") reject(new Error(`${name}: ${answer.message}`));
      else if (answer.kind !== "refused") resolve(answer);
      else reject(new InputError(answer.place, answer.found, answer.expected));
      this.next();
    });
    worker.postMessage(order);
  }
}

/** The bundle beside the command's. */
function workerFile(): string {
  const file = packageFile("dist/explore-worker.js");
  if (existsSync(file)) return file;
  throw new InputError(file, "nothing", "a build: npm run build");
}
