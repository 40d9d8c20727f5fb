import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError } from "../base/input-error.ts";
import type { Command, CommandTable } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { dispatch } from "./dispatch.ts";
import type { Io, Output } from "./io.ts";

class Captured implements Output {
  text = "";
  readonly isTerminal = false;
  readonly columns = 80;
  readonly colour = "none";

  write(text: string): void {
    this.text += text;
  }
}

function command(run: Command["run"]): Command {
  const usage = { command: "one", summary: "Does", positionals: "", maxPositionals: 0, flags: {} };
  return { usage, run };
}

async function runs(
  args: readonly string[],
  commands: CommandTable = COMMANDS,
): Promise<{ status: number; out: string; err: string }> {
  const out = new Captured();
  const err = new Captured();
  const io: Io = { out, err };
  const status = await dispatch(commands, args, io);
  return { status, out: out.text, err: err.text };
}

test("the status is the command's own", async () => {
  for (const expected of [0, 1]) {
    const load = async (): Promise<Command> => command(async () => expected);
    const { status } = await runs(["one"], { one: { summary: "does", load } });
    assert.equal(status, expected);
  }
});

test("bad input ends with 2 and one line on standard error", async () => {
  const load = async (): Promise<Command> =>
    command(() => Promise.reject(new InputError("f", "a", "b")));
  const table: CommandTable = { one: { summary: "does", load } };
  assert.deepEqual(await runs(["one"], table), {
    status: 2,
    out: "",
    err: "f: found a, expected b\n",
  });
});

test("a bug is not told as bad input", async () => {
  const load = async (): Promise<Command> => command(() => Promise.reject(new TypeError("bug")));
  await assert.rejects(runs(["one"], { one: { summary: "does", load } }), TypeError);
});

test("wrong usage ends with 2 and says what was meant", async () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [[], /^usage: godwit COMMAND/],
    [["lok"], /^godwit: found the command "lok", expected "look" perhaps/],
    [["constructor"], /^godwit: found the command "constructor", expected one of .*look/],
    [["look", "--wdith", "70"], /^godwit look: found the option --wdith, expected --width perhaps/],
    [["help", "nonsense"], /^godwit: found the command "nonsense"/],
  ];
  for (const [args, message] of cases) {
    const { status, out, err } = await runs(args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(out, "");
    assert.match(err, message);
  }
});

test("help is an answer: of all commands, and of each", async () => {
  const { status, out } = await runs(["--help"]);
  assert.equal(status, 0);
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    assert.ok(out.includes(`  ${name} `) && out.includes(summary), name);
    const { usage } = await load();
    assert.equal(usage.command, name);
    for (const args of [
      [name, "--help"],
      ["help", name],
    ]) {
      const help = await runs(args);
      assert.equal(help.status, 0);
      assert.match(help.out, new RegExp(`^usage: godwit ${name}`));
    }
  }
});
