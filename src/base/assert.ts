/** A broken invariant: a bug in this program, never a condition of the machine it models. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/**
 * Stops the program at the first state that cannot be right. Stays on in every build.
 *
 * `message` is a constant and the context is formatted only on failure; three parameters and not
 * a rest parameter, which would be an array for each call. So an assertion on a hot path costs one
 * branch. Linux: `VM_BUG_ON()`, but never compiled out.
 */
export function assert(
  condition: boolean,
  message: string,
  a?: unknown,
  b?: unknown,
  c?: unknown,
): asserts condition {
  if (!condition) fail(message, [a, b, c]);
}

function fail(message: string, context: readonly unknown[]): never {
  const known = context.filter((value) => value !== undefined);
  throw new InvariantError([message, ...known.map(String)].join(" "));
}
