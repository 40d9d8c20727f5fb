/** A rule that the scenario states, or one of its tasks relies on, does not hold. */
export class CheckError extends Error {
  override readonly name = "CheckError";
}
