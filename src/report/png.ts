/**
 * Pictures of few colours as PNG files, for pages that must hold their pictures themselves.
 *
 * Each pixel is an index into a palette whose colours may be translucent. The pixels are stored,
 * not compressed: a map of memory is one pixel a cell and the browser draws it larger, so it is
 * small already, and no compressor is needed where there is no Node.
 */
import { assert } from "../base/assert.ts";

/** 24 bits, red first, and how opaque it is: 0 to 255. */
export interface PaletteColour {
  readonly colour: number;
  readonly alpha: number;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const MAX_COLOURS = 256;
/** A stored block of a deflate stream tells its length in 16 bits. */
const MAX_STORED = 0xffff;

/** The file of a picture `width` pixels wide. `pixels` are palette indexes, row by row. */
export function palettePng(
  pixels: Uint8Array,
  width: number,
  palette: readonly PaletteColour[],
): Uint8Array {
  assert(palette.length > 0 && palette.length <= MAX_COLOURS, "a palette of", palette.length);
  assert(pixels.length % width === 0, "pixels that fill no whole rows of", width);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, pixels.length / width);
  header[8] = 8; // bits a pixel
  header[9] = 3; // by palette
  const colours = palette.flatMap(({ colour }) => [
    colour >>> 16,
    (colour >>> 8) & 0xff,
    colour & 0xff,
  ]);
  return joined([
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(colours)),
    chunk(
      "tRNS",
      Uint8Array.from(palette, ({ alpha }) => alpha),
    ),
    chunk("IDAT", zlibStored(unfiltered(pixels, width))),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Each row begins with the number of its filter: 0, none. */
function unfiltered(pixels: Uint8Array, width: number): Uint8Array {
  const rows = pixels.length / width;
  const out = new Uint8Array(rows * (width + 1));
  for (let row = 0; row < rows; row++) {
    out.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  }
  return out;
}

/** RFC 1950 and 1951, stored blocks alone. */
function zlibStored(data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at === 0 || at < data.length; at += MAX_STORED) {
    const block = data.subarray(at, at + MAX_STORED);
    const isLast = at + MAX_STORED >= data.length ? 1 : 0;
    const { length } = block;
    parts.push(Uint8Array.of(isLast, length & 0xff, length >>> 8, ~length & 0xff, ~length >>> 8));
    parts.push(block);
  }
  parts.push(bigEndian(adler32(data)));
  return joined(parts);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const typed = joined([Uint8Array.from(type, (letter) => letter.charCodeAt(0)), data]);
  return joined([bigEndian(data.length), typed, bigEndian(crc32(typed))]);
}

function crc32(data: Uint8Array): number {
  let crc = -1;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

function adler32(data: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const byte of data) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return ((high << 16) | low) >>> 0;
}

function bigEndian(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
