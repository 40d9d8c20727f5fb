/**
 * A stream of little-endian 64-bit entries, read as pairs of 32-bit words.
 *
 * Chunks may end anywhere, also inside an entry. Runs of equal entries are common in the kpage*
 * files, so a sink is told of a run at once; it must take entries in order and keep none.
 */

/** Told of `count` equal entries, the first of them number `index`. */
export type WordSink = (index: number, count: number, low: number, high: number) => void;

const ENTRY_BYTES = 8;

/**
 * Reads `chunks` to their end and returns the number of whole entries and of bytes left over.
 */
export async function readWords(
  chunks: AsyncIterable<Uint8Array>,
  sink: WordSink,
): Promise<{ entries: number; rest: number }> {
  const seam = new Uint8Array(ENTRY_BYTES);
  let seamBytes = 0;
  let entries = 0;
  for await (const chunk of chunks) {
    let from = 0;
    if (seamBytes > 0) {
      from = Math.min(ENTRY_BYTES - seamBytes, chunk.length);
      seam.set(chunk.subarray(0, from), seamBytes);
      seamBytes += from;
      if (seamBytes < ENTRY_BYTES) continue;
      entries += readWhole(seam, 0, ENTRY_BYTES, entries, sink);
    }
    const whole = from + Math.floor((chunk.length - from) / ENTRY_BYTES) * ENTRY_BYTES;
    entries += readWhole(chunk, from, whole, entries, sink);
    seam.set(chunk.subarray(whole));
    seamBytes = chunk.length - whole;
  }
  return { entries, rest: seamBytes };
}

/** Entries in bytes `from` to `to` of the chunk; returns how many. */
function readWhole(
  chunk: Uint8Array,
  from: number,
  to: number,
  firstIndex: number,
  sink: WordSink,
): number {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let index = firstIndex;
  let at = from;
  while (at < to) {
    const low = view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    let end = at + ENTRY_BYTES;
    while (end < to && view.getInt32(end, true) === low && view.getInt32(end + 4, true) === high) {
      end += ENTRY_BYTES;
    }
    const count = (end - at) / ENTRY_BYTES;
    sink(index, count, low, high);
    index += count;
    at = end;
  }
  return index - firstIndex;
}
