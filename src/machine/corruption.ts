/**
 * Machines broken on purpose, each with the rule that must tell of it: a rule that finds nothing
 * wrong with any machine would prove nothing.
 */
import { assert, InvariantError } from "../base/assert.ts";
import { checkInvariants, type Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

/** One way to break the machine of a scene. */
export interface Corruption<Scene> {
  /** What is wrong then, to follow "it finds". */
  readonly what: string;
  /** What the rule says of it. */
  readonly says: RegExp;
  readonly corrupt: (scene: Scene) => void;
}

/** A corruption and its rule. */
export interface BrokenMachine<Scene> extends Corruption<Scene> {
  readonly rule: Invariant;
}

/** All corruptions, given by rule and in the rules' order; each rule has some. */
export function brokenMachines<Scene>(
  rules: readonly Invariant[],
  byRule: readonly (readonly Corruption<Scene>[])[],
): BrokenMachine<Scene>[] {
  assert(rules.length === byRule.length, "corruptions and rules:", byRule.length, rules.length);
  return rules.flatMap((rule, at) => {
    assert(byRule[at].length > 0, `nobody breaks the rule: ${rule.name}`);
    return byRule[at].map((corruption) => ({ ...corruption, rule }));
  });
}

/** Throws unless the whole scene is right, is not once it is broken, and the rule says why. */
export function assertFound<Scene extends { readonly machine: Machine }>(
  scene: Scene,
  { rule, says, corrupt }: BrokenMachine<Scene>,
): void {
  checkInvariants(scene.machine);
  corrupt(scene);
  const found = rule.check(scene.machine) ?? "nothing found";
  assert(says.test(found), `expected ${says}, ${rule.name}: ${found}`);
  assert(isReported(scene.machine), `the whole check does not ask: ${rule.name}`);
}

function isReported(machine: Machine): boolean {
  try {
    checkInvariants(machine);
    return false;
  } catch (error) {
    return error instanceof InvariantError;
  }
}
