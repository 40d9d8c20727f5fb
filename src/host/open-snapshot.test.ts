import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { MIGRATE } from "../memory/constants.ts";
import type { Side } from "../snapshot/snapshot.ts";
import { ENTRY, filesOf, type SyntheticMachine } from "../snapshot/synthetic.ts";
import { inputErrorOf } from "./input-errors.ts";
import { openSnapshot } from "./open-snapshot.ts";

let folder = "";
let archive: Buffer;

/** A MiB of memory in which `free` pages are free. */
function machine(free: number): SyntheticMachine {
  const entries = new Uint32Array(4096).fill(ENTRY.anonymous);
  // Contents that do not pack well, so that the archive can be cut in many places.
  for (let pfn = 1024; pfn < 4096; pfn++) entries[pfn] |= (Math.imul(pfn, 2654435761) >>> 30) << 2;
  entries.fill(ENTRY.free, 512, 512 + free);
  return { entries, startPfn: 0, types: new Uint8Array(8).fill(MIGRATE.movable) };
}

/** A pair in a folder NAME: 512 pages free before, 256 after. */
function pairFiles(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of filesOf(machine(512), "every page"))
    files.set(`before/${name}`, bytes);
  for (const [name, bytes] of filesOf(machine(256), "every page"))
    files.set(`after/${name}`, bytes);
  files.set("pins.pfn.u64", new Uint8Array(BigUint64Array.of(1500n).buffer));
  return files;
}

async function tarOf(files: ReadonlyMap<string, Uint8Array>, prefix: string): Promise<Buffer> {
  const tar = pack();
  // The same bytes in every run.
  const mtime = new Date(0);
  for (const [name, bytes] of files) tar.entry({ name: prefix + name, mtime }, Buffer.from(bytes));
  tar.finalize();
  return buffer(tar);
}

async function writeTree(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of files) {
    await mkdir(join(path, name, ".."), { recursive: true });
    await writeFile(join(path, name), bytes);
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-open-"));
  const files = pairFiles();
  const tar = await tarOf(files, "NAME/");
  archive = gzipSync(tar);
  await writeFile(join(folder, "pair.tar.gz"), archive);
  await writeFile(join(folder, "no-suffix"), archive);
  await writeFile(join(folder, "plain.gz"), tar);
  await writeFile(join(folder, "top.tgz"), gzipSync(await tarOf(files, "./")));
  await writeTree(join(folder, "tree/NAME"), files);
});

after(() => rm(folder, { recursive: true }));

/** The message of the error with which opening ends. */
async function refusal(path: string, side?: Side): Promise<string> {
  const opened = openSnapshot(path, side ? { side } : {});
  const error = await opened.then(
    () => assert.fail(`${path} was opened`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Error && error.name === "InputError", String(error));
  return error.message;
}

test("the same pair is read from an archive, a tree and a folder, told by content", async () => {
  const places = ["pair.tar.gz", "no-suffix", "plain.gz", "top.tgz", "tree/NAME", "tree"];
  for (const place of [...places, "pair.tar.gz/NAME"]) {
    const path = join(folder, place);
    const { snapshot, other } = await openSnapshot(path);
    assert.equal(snapshot.freeBlocks[0][9], 1, place);
    assert.equal(other?.freeBlocks[0][8], 1, place);
    assert.deepEqual([...(snapshot.pins ?? [])], [1500], place);
    const { snapshot: end } = await openSnapshot(path, { side: "after" });
    assert.equal(end.freeBlocks[0][8], 1, place);
    assert.equal(end.side, "after");
  }
});

test("a folder that is a side is that side, with what lies beside it", async () => {
  for (const place of ["tree/NAME/after", "pair.tar.gz/NAME/after", "pair.tar.gz/NAME/after/"]) {
    const { snapshot, other } = await openSnapshot(join(folder, place));
    assert.equal(snapshot.side, "after", place);
    assert.equal(snapshot.name, "NAME", place);
    assert.equal(snapshot.freeBlocks[0][8], 1, place);
    assert.equal(other?.side, "before", place);
    assert.deepEqual([...(snapshot.pins ?? [])], [1500], place);
  }
  assert.match(await refusal(join(folder, "tree/NAME/after"), "before"), /found the side "after"/);
});

test("an archive that ends early is refused wherever it ends", async () => {
  const path = join(folder, "cut.tar.gz");
  for (const part of [0.02, 0.3, 0.6, 0.9, 0.999]) {
    await writeFile(path, archive.subarray(0, Math.floor(archive.length * part)));
    assert.match(await refusal(path), /cut\.tar\.gz: found a gzip stream that ends early/);
  }
  await writeFile(path, archive.subarray(0, archive.length - 1));
  assert.match(await refusal(path), /ends early/);
});

test("a plain tar that ends early is refused", async () => {
  const tar = await tarOf(pairFiles(), "NAME/");
  const path = join(folder, "cut.tar");
  // In the header of an entry, and in its contents.
  for (const bytes of [600, 20_000]) {
    await writeFile(path, tar.subarray(0, bytes));
    assert.match(await refusal(path), /cut\.tar: found no tar archive \(Unexpected end of data\)/);
  }
});

test("a damaged archive is refused", async () => {
  const path = join(folder, "damaged.tar.gz");
  const bytes = Buffer.from(archive);
  const middle = Math.floor(bytes.length / 2);
  bytes.fill(0xff, middle, middle + 64);
  await writeFile(path, bytes);
  assert.match(await refusal(path), /damaged\.tar\.gz: found a damaged gzip stream/);
});

test("files that are no snapshot are refused with what they are", async () => {
  const other = new Map([["README", Buffer.from("nothing")]]);
  const files: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["empty", Buffer.alloc(0), /empty: found an empty file, expected a snapshot/],
    ["text", Buffer.from("hello\n".repeat(500)), /text: found a file that is no archive/],
    ["zipped-text", gzipSync("hello\n".repeat(500)), /zipped-text: found no tar archive/],
    ["magic-alone", Buffer.of(0x1f, 0x8b), /magic-alone: found a gzip stream that ends early/],
    ["other.tar.gz", gzipSync(await tarOf(other, "")), /other\.tar\.gz: found no kpageflags/],
    ["zipped-nothing", gzipSync(""), /zipped-nothing: found no kpageflags/],
  ];
  for (const [name, bytes, message] of files) {
    await writeFile(join(folder, name), bytes);
    assert.match(await refusal(join(folder, name)), message);
  }
  assert.match(await refusal(join(folder, "missing")), /missing: found nothing/);
  assert.match(await refusal(join(folder, "text/more")), /text: found a file that is no archive/);
  assert.match(await refusal(join(folder, "pair.tar.gz/ELSE")), /found no kpageflags/);
});

test("a directory without kpageflags is refused with what it has", async () => {
  const path = join(folder, "half");
  await mkdir(path);
  assert.match(await refusal(path), /half: found no kpageflags/);
  await writeFile(join(path, "zoneinfo"), "Node 0, zone Normal\n");
  assert.match(await refusal(path), /half: found zoneinfo but no kpageflags/);
});

test("a file of the wrong size names itself", async () => {
  const path = join(folder, "odd");
  await writeTree(path, filesOf(machine(0), "every page"));
  await writeFile(join(path, "kpageflags.u64"), Buffer.alloc(12));
  assert.match(
    await refusal(path),
    /odd\/kpageflags\.u64: found 12 bytes, expected a multiple of 8/,
  );
  await writeFile(join(path, "kpageflags.u64"), "");
  assert.match(await refusal(path), /odd\/kpageflags\.u64: found no entry/);
});

test("a FIFO or a device is refused and not waited for", { timeout: 10_000 }, async () => {
  const path = join(folder, "pipes");
  await mkdir(path);
  execFileSync("mkfifo", [join(path, "kpageflags.u64"), join(folder, "fifo.tar.gz")]);
  assert.match(await refusal(join(folder, "fifo.tar.gz")), /fifo\.tar\.gz: found no regular file/);
  assert.match(await refusal(path), /pipes\/kpageflags\.u64: found no regular file/);
  assert.match(await refusal("/dev/zero"), /^\/dev\/zero: found no regular file/);
});

test("what may not be read is told as that", async () => {
  const denied = Object.assign(new Error("EACCES"), { code: "EACCES" });
  assert.match(inputErrorOf(denied, "f").message, /^f: found no permission to read/);
  const path = join(folder, "secret.tar.gz");
  await writeFile(path, archive);
  await chmod(path, 0);
  // Nothing is closed to root.
  if (process.getuid?.() === 0) assert.ok(await openSnapshot(path));
  else assert.match(await refusal(path), /secret\.tar\.gz: found no permission to read/);
});

test("an error that is not the input's is not told as one", () => {
  const bug = new TypeError("x is not a function");
  assert.throws(() => inputErrorOf(bug, "f"), bug);
});
