/**
 * Progress of long work: one line on standard error, rewritten, and only where that is a terminal.
 */
import type { Io } from "./io.ts";

export class Progress {
  private readonly io: Io;

  constructor(io: Io) {
    this.io = io;
  }

  /** Shows what is being done now. */
  show(text: string): void {
    if (this.io.err.isTerminal) this.io.err.write(`\r\x1b[K${text}`);
  }

  /** Takes the line away, before anything else is written. */
  clear(): void {
    if (this.io.err.isTerminal) this.io.err.write("\r\x1b[K");
  }
}
