import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { base64 } from "./base64.ts";
import { palettePng } from "./png.ts";

/** The chunks of a PNG file by type, lengths checked against the file's. */
function chunksOf(file: Uint8Array): Map<string, Buffer> {
  const bytes = Buffer.from(file);
  const chunks = new Map<string, Buffer>();
  assert.equal(bytes.subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
  let at = 8;
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at);
    chunks.set(bytes.toString("latin1", at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  assert.equal(at, bytes.length);
  return chunks;
}

test("a picture's file holds its size, its colours and its pixels", () => {
  const palette = [
    { colour: 0x112233, alpha: 255 },
    { colour: 0xaabbcc, alpha: 0 },
  ];
  const chunks = chunksOf(palettePng(Uint8Array.of(0, 1, 1, 1, 0, 0), 3, palette));
  const header = chunks.get("IHDR");
  assert.deepEqual([header?.readUInt32BE(0), header?.readUInt32BE(4)], [3, 2]);
  assert.deepEqual([...(header ?? [])].slice(8), [8, 3, 0, 0, 0]);
  assert.equal(chunks.get("PLTE")?.toString("hex"), "112233aabbcc");
  assert.equal(chunks.get("tRNS")?.toString("hex"), "ff00");
  const data = inflateSync(chunks.get("IDAT") ?? Buffer.alloc(0));
  assert.deepEqual([...data], [0, 0, 1, 1, 0, 1, 0, 0]);
});

test("the checksum of the last chunk is the one that the format knows", () => {
  const file = palettePng(Uint8Array.of(0), 1, [{ colour: 0, alpha: 255 }]);
  assert.equal(Buffer.from(file.slice(-12)).toString("hex"), "0000000049454e44ae426082");
});

test("a picture of more than one stored block keeps every pixel", () => {
  const width = 512;
  const pixels = Uint8Array.from({ length: width * 300 }, (_, at) => (at * 7) % 251);
  const palette = Array.from({ length: 256 }, (_, colour) => ({ colour, alpha: 255 }));
  const data = inflateSync(chunksOf(palettePng(pixels, width, palette)).get("IDAT") ?? Buffer.of());
  for (let row = 0; row < 300; row++) {
    const own = data.subarray(row * (width + 1) + 1, (row + 1) * (width + 1));
    assert.ok(own.equals(pixels.subarray(row * width, (row + 1) * width)));
  }
});

test("base64 is Node's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(base64(bytes), Buffer.from(bytes).toString("base64"));
    }),
  );
});
