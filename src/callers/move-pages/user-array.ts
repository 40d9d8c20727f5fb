/**
 * Arrays that a call is given in its caller's memory: entries may lie where nothing is mapped.
 *
 * Of each array the first `mapped` entries can be used; the next one faults. A null pointer is an
 * array of which none is mapped. Linux: `get_user()`, `put_user()`, `copy_from_user()`, 6.1.
 */

/** What the kernel reads: entries beyond `mapped` fault, `values` are never asked for there. */
export interface UserInput {
  readonly values: readonly number[];
  readonly mapped: number;
}

/** Where the kernel writes. */
export interface UserOutput {
  readonly values: Int32Array;
  readonly mapped: number;
}

/** All of an array that is wholly mapped. */
export function userInput(values: readonly number[]): UserInput {
  return { values, mapped: values.length };
}

/** All of an array that is wholly mapped. */
export function userOutput(values: Int32Array): UserOutput {
  return { values, mapped: values.length };
}

/**
 * Writes `count` entries from `at` on; false if one of them faulted: those before it are written.
 *
 * Linux: `put_user()` in a loop, and `copy_to_user()`, which copies up to the fault.
 */
export function putUser(
  { values, mapped }: UserOutput,
  at: number,
  count: number,
  value: (index: number) => number,
): boolean {
  const end = Math.min(at + count, mapped);
  for (let entry = at; entry < end; entry++) values[entry] = value(entry - at);
  return at + count <= mapped;
}
