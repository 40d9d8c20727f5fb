/**
 * Errors of files, gzip and tar, told as what is wrong with the input.
 */
import { InputError } from "../base/input-error.ts";

const CAUSES: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  ENOENT: ["nothing", "a file or a directory"],
  EACCES: ["no permission to read", "a readable file"],
  EPERM: ["no permission to read", "a readable file"],
  EISDIR: ["a directory", "a file"],
  EIO: ["an error of the device", "a readable file"],
  Z_BUF_ERROR: ["a gzip stream that ends early (truncated?)", "a whole .tar.gz"],
  Z_DATA_ERROR: ["a damaged gzip stream", "a whole .tar.gz"],
};

/** The same error as an `InputError`; one that is none of the input's is thrown as it is. */
export function inputErrorOf(error: unknown, place: string): InputError {
  if (error instanceof InputError) return error;
  if (!(error instanceof Error)) throw error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const cause = CAUSES[code];
  if (cause) return new InputError(place, cause[0], cause[1]);
  if (/^(Invalid tar|Unexpected end of data)/.test(error.message)) {
    return new InputError(place, `no tar archive (${error.message})`, "a tar archive");
  }
  throw error;
}
