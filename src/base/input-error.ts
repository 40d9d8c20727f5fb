/**
 * Input from outside that cannot be used: a snapshot, a trace, an argument.
 *
 * The message says where, what was found and what was expected; whoever faces the user prints it
 * alone, without a stack, and ends with status 2. A bug in this program is an `InvariantError`.
 */
export class InputError extends Error {
  override readonly name = "InputError";
  /** A file, a flag or a line: whatever the reader would go and look at. */
  readonly place: string;
  readonly found: string;
  readonly expected: string;

  constructor(place: string, found: string, expected: string) {
    super(`${place}: found ${found}, expected ${expected}`);
    this.place = place;
    this.found = found;
    this.expected = expected;
  }
}
