/**
 * The bundler, which only those need who explore: the package does not bring it along.
 */
import { InputError } from "../../base/input-error.ts";

export type Esbuild = typeof import("esbuild");

/** Throws an `InputError` that says what to install. */
export async function loadEsbuild(): Promise<Esbuild> {
  try {
    return await import("esbuild");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new InputError("godwit explore", "no package esbuild", "it: npm install esbuild");
  }
}
