/**
 * The arguments of a recorded move_pages, as the call gets them.
 *
 * Most records tell them all. Where one does not, its setup and description may (`sentences/
 * arguments.ts`), and what nobody tells is the plainest call there is: all pages of the region
 * that was made last, to node 1, with arrays that can be read and written.
 */
import { type MovePagesCall, MPOL_MF } from "../callers/move-pages/move-pages.ts";
import type { RecordedCall } from "./call-record.ts";
import { UNTOUCHED } from "./call-status.ts";
import { type CallWorld, NotMade } from "./call-world.ts";

/** Where pages go if nobody says. */
const USUAL_NODE = 1;
/** Entries of arrays are held up to here: each call that has more faults before. */
const MOST_ENTRIES = 1 << 20;

const FLAG_VALUES: Readonly<Record<string, number>> = {
  MPOL_MF_STRICT: 0x1,
  MPOL_MF_MOVE: MPOL_MF.move,
  MPOL_MF_MOVE_ALL: MPOL_MF.moveAll,
  MPOL_MF_LAZY: 0x8,
};

/** Throws `NotMade` where the call names what nobody made. */
export function callArguments(world: CallWorld, call: RecordedCall): MovePagesCall {
  const { args } = world;
  const pages = pagesOf(world, call);
  const nrPages = call.count ?? args.nrPages ?? pages.length;
  const entries = Math.min(nrPages, MOST_ENTRIES);
  const nodes = call.nodes ?? args.nodes ?? pages.map(() => USUAL_NODE);
  return {
    caller: world.caller,
    pid: pidOf(world, call.pid),
    nrPages,
    pages: { values: pages, mapped: args.pagesMapped ?? pages.length },
    nodes: nodes === "query" ? null : { values: nodes, mapped: args.nodesMapped ?? nodes.length },
    flags: flagsOf(call.flags),
    status: {
      values: new Int32Array(entries).fill(UNTOUCHED),
      mapped: args.statusMapped ?? entries,
    },
  };
}

/** Virtual page numbers by entry. */
function pagesOf(world: CallWorld, { pages, count }: RecordedCall): number[] {
  if (pages !== null) {
    return pages.map((address) => {
      const vpn = world.pageOf(address);
      if (vpn !== null) return vpn;
      throw new NotMade("pages", address, "a region that a line of setup makes");
    });
  }
  const region = world.current;
  if (region === null) return [];
  const all = Array.from({ length: region.pages }, (_, page) => region.startVpn + page);
  return count === null ? all : all.slice(0, count);
}

/** Processes are named, or their number is told, with a name behind it. 0 is the caller itself. */
function pidOf({ caller, processes }: CallWorld, text: string): number {
  if (/^self\b/.test(text)) return 0;
  if (text === "own pid") return caller.pid;
  const number = Number.parseInt(text, 10);
  const named = /\((\w+)\)/.exec(text)?.[1] ?? text;
  const target = processes.get(named);
  if (target !== undefined) return target.pid;
  if (!Number.isNaN(number)) return number;
  throw new NotMade("pid", text, "a process that a line of setup makes");
}

function flagsOf(text: string): number {
  return text
    .split("|")
    .map((flag) => FLAG_VALUES[flag] ?? Number(flag))
    .reduce((sum, flag) => sum | flag, 0);
}
