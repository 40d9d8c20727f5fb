/** Which types belong to the call protocol of src/sched/blocking.ts. */
import type ts from "typescript";

/** Whether a value of `type` may be a generator of any kind, alone or in a union. */
export function mayBeGenerator(type: ts.Type): boolean {
  return partsOf(type).some((part) => part.getSymbol()?.name === "Generator");
}

/** Whether `type` is `Steps` or `Blocking`, or what they stand for spelled out. */
export function isProtocolType(type: ts.Type, checker: ts.TypeChecker): boolean {
  const name = type.aliasSymbol?.name;
  if (name === "Steps" || name === "Blocking") return true;
  return partsOf(type).some((part) => {
    if (part.getSymbol()?.name !== "Generator") return false;
    const alias = part.aliasSymbol?.name;
    if (alias === "Steps" || alias === "Blocking") return true;
    const [yielded] = checker.getTypeArguments(part as ts.TypeReference);
    return partsOf(yielded).some(isWaitQueue);
  });
}

export function isWaitQueue(type: ts.Type): boolean {
  const name = type.getSymbol()?.name;
  return name === "WaitQueue" || name === "SpinQueue";
}

/** The members of a union, or the type itself. */
function partsOf(type: ts.Type): readonly ts.Type[] {
  return type.isUnion() ? type.types : [type];
}
