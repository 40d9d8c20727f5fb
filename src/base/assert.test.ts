import assertStrict from "node:assert/strict";
import { test } from "node:test";
import { assert, InvariantError } from "./assert.ts";
import { InputError } from "./input-error.ts";

test("an assertion that holds says nothing, one that fails says what and about what", () => {
  assert(true, "never said");
  assertStrict.throws(() => assert(false, "a page is lost:", 7, "of", "node 1"), {
    name: "InvariantError",
    message: "a page is lost: 7 of node 1",
  });
  assertStrict.throws(() => assert(false, "zero and false are told:", 0, false), {
    message: "zero and false are told: 0 false",
  });
});

test("a bug and a bad input are different errors", () => {
  const error = new InputError("meminfo, line 3", '"abc"', "a number of kB");
  assertStrict.equal(error.message, 'meminfo, line 3: found "abc", expected a number of kB');
  assertStrict.equal(error.name, "InputError");
  assertStrict.ok(!(error instanceof InvariantError));
});
