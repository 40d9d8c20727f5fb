import assert from "node:assert/strict";
import { test } from "node:test";
import { helpText, parseOptions, type Usage } from "./options.ts";

const USAGE: Usage = {
  command: "try",
  summary: "Tries things",
  positionals: "[FILE]",
  maxPositionals: 1,
  flags: {
    side: { type: "string", choices: ["before", "after"], help: "which side" },
    width: { type: "string", value: "N", help: "how wide" },
    sysctl: { type: "string", value: "NAME=VALUE", multiple: true, help: "a knob" },
    "no-pins": { type: "boolean", help: "none pinned" },
  },
};

test("flags and arguments are read in any order and either form", () => {
  const args = ["--width=70", "file", "--sysctl", "a=1", "--no-pins", "--sysctl", "b=2", "--json"];
  const options = parseOptions(USAGE, args);
  assert.deepEqual(options.positionals, ["file"]);
  assert.equal(options.text("width"), "70");
  assert.equal(options.count("width", 60, 100), 70);
  assert.deepEqual(options.texts("sysctl"), ["a=1", "b=2"]);
  assert.equal(options.has("no-pins"), true);
  assert.equal(options.has("json"), true);
  assert.equal(options.has("help"), false);
  assert.equal(options.text("side"), null);
  assert.deepEqual(parseOptions(USAGE, ["--", "--json"]).positionals, ["--json"]);
});

test("what cannot be understood is refused by name", () => {
  const refusals: readonly (readonly [string[], string])[] = [
    [["--sid", "after"], "godwit try: found the option --sid, expected --side perhaps"],
    [["-x"], "godwit try: found the option -x, expected --side, --width, --sysctl, --no-pins, "],
    [["--side", "left"], 'godwit try --side: found "left", expected before or after'],
    [["--side"], "godwit try --side: found no value, expected before or after"],
    [["--width", "--json"], "godwit try --width: found no value, expected N"],
    [["--width="], "godwit try --width: found no value, expected N"],
    [["--width=6", "--width=7"], "godwit try --width: found it twice, expected it once"],
    [["--no-pins=yes"], 'godwit try --no-pins: found the value "yes", expected none'],
    [["a", "b"], 'godwit try: found the argument "b", expected at most 1'],
    [["--toString"], "godwit try: found the option --toString, expected "],
  ];
  for (const [args, message] of refusals) {
    assert.throws(
      () => parseOptions(USAGE, args),
      (error: Error) => error.name === "InputError" && error.message.startsWith(message),
      args.join(" "),
    );
  }
});

test("a number out of its bounds is refused with them", () => {
  for (const text of ["59", "101", "7x", "1e2", "0x50", "7.5"]) {
    const options = parseOptions(USAGE, ["--width", text]);
    assert.throws(() => options.count("width", 60, 100), {
      name: "InputError",
      message: `godwit try --width: found "${text}", expected a whole number from 60 to 100`,
    });
  }
});

test("the help names every flag with its value", () => {
  assert.equal(
    helpText(USAGE),
    `usage: godwit try [FILE] [OPTION...]

Tries things.

  --side before|after  which side
  --width N            how wide
  --sysctl NAME=VALUE  a knob
  --no-pins            none pinned
  --json               print one JSON object on standard output, nothing else
  --help               print this
`,
  );
});
