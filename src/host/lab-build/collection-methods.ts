/** Which methods the recorder stands in for, by name, whatever object they are called on. */

const NOTED: ReadonlySet<string> = new Set(
  [
    // Arrays and views.
    "at concat copyWithin entries every fill filter find findIndex findLast findLastIndex flat",
    "flatMap forEach includes indexOf join keys lastIndexOf map pop push reduce reduceRight",
    "reverse set shift slice some sort splice subarray toReversed toSorted toSpliced unshift",
    "values with",
    // Maps and sets.
    "add clear delete get has",
    // Data views.
    "getInt8 getUint8 getInt16 getUint16 getInt32 getUint32 getFloat32 getFloat64 getBigInt64",
    "getBigUint64 setInt8 setUint8 setInt16 setUint16 setInt32 setUint32 setFloat32 setFloat64",
    "setBigInt64 setBigUint64",
    // Patterns remember where they were.
    "exec test",
  ].flatMap((line) => line.split(" ")),
);

/** Methods of strings that give new arrays. */
const MAKERS: ReadonlySet<string> = new Set(["split", "match", "matchAll"]);

export function isNoted(method: string): boolean {
  return NOTED.has(method);
}

export function isMaker(method: string): boolean {
  return MAKERS.has(method);
}
