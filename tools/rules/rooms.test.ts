import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "../build/sources.ts";

/** The rooms that `prose` does not name as `room/`. */
function unnamedRooms(prose: string, rooms: readonly string[]): string[] {
  return rooms.filter((room) => !new RegExp(`(?<![\\w/])(?:src/)?${room}/`).test(prose));
}

test("ARCHITECTURE.md names every room of src/", () => {
  const file = path.join(root, "ARCHITECTURE.md");
  const rooms = readdirSync(path.join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  assert.ok(rooms.includes("sched"));
  assert.deepEqual(unnamedRooms(readFileSync(file, "utf8"), rooms), []);
});

test("a room that is not named is found", () => {
  const prose =
    "| `base/` | knows nothing |\nsrc/vm/ sees folios; snapshot/parse/ reads; memory too";
  assert.deepEqual(unnamedRooms(prose, ["base", "vm", "parse", "memory"]), ["parse", "memory"]);
});
