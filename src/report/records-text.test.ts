/** Replayed records as text: the counts, what ran, and what could not run and why. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RecordResult, summarize } from "../replay/result.ts";
import { recordsText } from "./records-text.ts";

function cannot(id: string, why: string): RecordResult {
  return { id, area: "calls", result: "cannot", expected: null, got: null, why };
}

test("records that cannot be replayed stand under their reason, with what each lacks", () => {
  const agree = { ...cannot("fine", ""), result: "agree" } as const;
  const many = Array.from({ length: 9 }, (_, at) => cannot(`many.${at}`, "no caller yet"));
  const unknown = [cannot("a", "not known: X is Y"), cannot("b", "not known: Z")];
  const text = recordsText(summarize([agree, ...unknown, cannot("c", "no outcome"), ...many]));
  assert.equal(
    text,
    [
      "1 agree, 0 differ, 0 without outcome, 12 cannot",
      "",
      "agree    calls/fine  ",
      "cannot   2: not known",
      "           a: X is Y",
      "           b: Z",
      "cannot   1: no outcome",
      "           c",
      "cannot   9: no caller yet",
      "",
    ].join("\n"),
  );
});

test("a record that differs tells how", () => {
  const differ = { ...cannot("one", "ret: 1"), result: "differ" } as const;
  assert.match(recordsText(summarize([differ])), /differ {3}calls\/one {2}ret: 1\n/);
});
