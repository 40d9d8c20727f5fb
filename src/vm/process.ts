/**
 * A process: who it is, what it may, and the memory that it has.
 *
 * As far as calls about another process's pages need it: its number, credentials, memory (none for
 * a kernel thread or a zombie) and the nodes that its cpuset allows. Threads are not told apart.
 * `becomeUser` is the one way to change who a process is: it drops what the kernel drops with it.
 * Linux: `struct task_struct`, `struct cred`, `ptrace_may_access()`, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Errno } from "../base/errno.ts";
import { type Mm, SUID_DUMP } from "./mm.ts";

/** Linux: CAP_*, those that are asked for here. */
export type Capability = "CAP_SYS_NICE" | "CAP_SYS_PTRACE";

/** Real, effective and saved ids, and what is permitted besides. Linux: `struct cred`. */
export interface Credentials {
  readonly uid: number;
  readonly euid: number;
  readonly suid: number;
  readonly gid: number;
  readonly egid: number;
  readonly sgid: number;
  /** Permitted and effective alike. */
  readonly capabilities: ReadonlySet<Capability>;
}

const ALL_CAPABILITIES: ReadonlySet<Capability> = new Set<Capability>([
  "CAP_SYS_NICE",
  "CAP_SYS_PTRACE",
]);

/** The credentials of a user, all ids alike; the superuser has every capability. */
export function credentialsOf(uid: number): Credentials {
  const capabilities = uid === 0 ? ALL_CAPABILITIES : new Set<Capability>();
  return { uid, euid: uid, suid: uid, gid: uid, egid: uid, sgid: uid, capabilities };
}

export class Process {
  readonly pid: number;
  readonly name: string;
  /** Null for a kernel thread, and once the process has exited. */
  mm: Mm | null;
  credentials: Credentials;
  /** Ids of the nodes that its cpuset allows; null for all. */
  cpusetMems: ReadonlySet<number> | null = null;

  constructor(pid: number, name: string, mm: Mm | null, credentials: Credentials) {
    this.pid = pid;
    this.name = name;
    this.mm = mm;
    this.credentials = credentials;
  }
}

/** The processes of a machine, by pid. */
export class ProcessTable {
  private readonly byPid: Map<number, Process> = new Map();
  private nextPid = 1;

  /** Gives it the next free pid. */
  create(name: string, mm: Mm | null, credentials: Credentials): Process {
    const process = new Process(this.nextPid++, name, mm, credentials);
    this.byPid.set(process.pid, process);
    return process;
  }

  /** Linux: `find_task_by_vpid()`. */
  find(pid: number): Process | null {
    return this.byPid.get(pid) ?? null;
  }

  /** Forgets a process that has no memory any more. Linux: `release_task()`. */
  reap(process: Process): void {
    assert(process.mm === null, "a process is reaped with its memory:", process.pid);
    this.byPid.delete(process.pid);
  }
}

/**
 * The process becomes a user, with that user's capabilities and no others.
 *
 * Its memory may then be looked at by the superuser alone, until it says otherwise. Linux:
 * `setresuid()`, `commit_creds()`.
 */
export function becomeUser(process: Process, uid: number): void {
  if (process.credentials.uid === uid) return;
  process.credentials = credentialsOf(uid);
  if (process.mm !== null) process.mm.dumpable = SUID_DUMP.disable;
}

/**
 * Whether `caller` may look at `target`'s memory: "EPERM", or null if it may.
 *
 * Itself always; otherwise its real ids must be all three of the target's, the target must let
 * itself be dumped, and it may not have a capability that the caller lacks. CAP_SYS_PTRACE stands
 * in for each. Linux: `ptrace_may_access(PTRACE_MODE_READ_REALCREDS)` with the commoncap module,
 * in one user namespace.
 */
export function ptraceMayAccess(caller: Process, target: Process): Errno | null {
  if (caller === target) return null;
  if (caller.credentials.capabilities.has("CAP_SYS_PTRACE")) return null;
  const { uid, gid } = caller.credentials;
  const { euid, suid, egid, sgid } = target.credentials;
  const uids = [target.credentials.uid, euid, suid];
  const gids = [target.credentials.gid, egid, sgid];
  if (uids.some((each) => each !== uid) || gids.some((each) => each !== gid)) return "EPERM";
  if (target.mm !== null && target.mm.dumpable !== SUID_DUMP.user) return "EPERM";
  const held = caller.credentials.capabilities;
  for (const capability of target.credentials.capabilities) {
    if (!held.has(capability)) return "EPERM";
  }
  return null;
}
