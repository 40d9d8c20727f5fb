/** A broken invariant: a bug in this program, never a condition of the machine it models. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * Stops the program at the first state that cannot be right. Stays on in every build.
 *
 * `message` is a constant and `context` is formatted only on failure, so that an assertion on a
 * hot path costs one branch. Linux: `VM_BUG_ON()`, but never compiled out.
 */
export function assert(
  condition: boolean,
  message: string,
  ...context: unknown[]
): asserts condition {
  if (!condition) throw new InvariantError([message, ...context.map(String)].join(" "));
}
