/**
 * The kernel's trace as text, both ways.
 *
 * A line is task, processor, flags and time, then `name: text`; only the last two are compared.
 */

export interface KernelEvent {
  readonly name: string;
  readonly text: string;
}

/** What compaction's two scanners report about one stretch. */
export interface IsolateEvent {
  readonly scanner: "migratepages" | "freepages";
  /** As printed: `0x1000 ~ 0x1200`. */
  readonly range: string;
  readonly scanned: number;
  readonly taken: number;
}

const LINE = /^\s*\S.*-\d+\s+\[\d+\]\s+\S+\s+[\d.]+: (\w+): (.*)$/;
const ISOLATE = /^mm_compaction_isolate_(migratepages|freepages)$/;
const RANGE = /^range=\((0x[\da-f]+ ~ 0x[\da-f]+)\) nr_scanned=(\d+) nr_taken=(\d+)$/;

/** The events of a trace file; comment lines and what is no event are left out. */
export function parseTrace(text: string): KernelEvent[] {
  const events: KernelEvent[] = [];
  for (const line of text.split("\n")) {
    const match = LINE.exec(line);
    if (match !== null) events.push({ name: match[1], text: match[2] });
  }
  return events;
}

/** The scanners' events, in order. */
export function isolateEvents(events: readonly KernelEvent[]): IsolateEvent[] {
  const found: IsolateEvent[] = [];
  for (const { name, text } of events) {
    const scanner = ISOLATE.exec(name);
    const range = scanner === null ? null : RANGE.exec(text);
    if (scanner === null || range === null) continue;
    found.push({
      scanner: scanner[1] as IsolateEvent["scanner"],
      range: range[1],
      scanned: Number(range[2]),
      taken: Number(range[3]),
    });
  }
  return found;
}

/** Events as the kernel's trace file has them. Time is the event's number, in microseconds. */
export function formatTrace(events: readonly KernelEvent[]): string {
  const lines = events.map(({ name, text }, at) => {
    const seconds = (at / 1e6).toFixed(6).padStart(12);
    return `          godwit-1       [000] .....${seconds}: ${name}: ${text}`;
  });
  return `# tracer: nop\n#\n${lines.join("\n")}\n`;
}
