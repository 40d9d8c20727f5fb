/**
 * Settings of the JavaScript engine for whole runs on large machines.
 *
 * The move of one page is some sixty small functions. V8 stops inlining into a caller at 920 bytes
 * of bytecode, which leaves most of them as calls; a larger budget saves about a quarter of the
 * bookkeeping (docs/decisions/0002-inlining.md). Call before any hot function has been optimised.
 */
import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that may be inlined into one function. V8's own default is 920. */
const INLINED_BYTES = 1500;

export function tuneEngine(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`);
}
