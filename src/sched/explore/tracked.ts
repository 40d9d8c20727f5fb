/**
 * The functions that a tracked build calls: what the transform of a build's modules imports.
 *
 * Nobody else calls them. Their names here are those that the transform writes.
 */
import { declareName, declareVariable } from "./locations.ts";
import { setTracked } from "./touch.ts";

export { cell, made, madeArray, madeInstance, madeRecord, named } from "./tracked/creation.ts";
export {
  addToElement,
  addToElementAt,
  at,
  isIn,
  readElement,
  readElementAt,
  removeElementAt,
  setElement,
  writeElement,
  writeElementAt,
} from "./tracked/elements.ts";
export { beforeCall, call, callee } from "./tracked/methods.ts";
export {
  addTo,
  afterWrite,
  increment,
  incrementVariable,
  optional,
  read,
  readVariable,
  remove,
  write,
  writeLength,
  writeVariable,
} from "./tracked/properties.ts";
export { inSteps, readAll, readOwn, readTuple } from "./tracked/whole.ts";

type Ids = readonly (readonly [id: number, name: string])[];

/** Each instrumented module calls this first, with the ids that it uses. */
export function declare(names: Ids, variables: Ids): void {
  setTracked();
  for (const [id, name] of names) declareName(id, name);
  for (const [id, name] of variables) declareVariable(id, name);
}
