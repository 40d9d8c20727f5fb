/** Which files of the project take part in the build for run-to-end. */
import path from "node:path";

export const root: string = path.resolve(import.meta.dirname, "../..");

const PLAIN_FOLDERS = ["src", "test", "bench", "scenarios", "examples"];
/** Schedules need tasks that can be suspended, so what tries them is never made plain. */
const STEPS_FOLDERS = ["src/sched/explore"];

/** Whether `file`, an absolute path, is TypeScript that runs in its plain form in that build. */
export function hasPlainForm(file: string): boolean {
  if (!file.endsWith(".ts") || file.endsWith(".d.ts")) return false;
  const relative = path.relative(root, file).split(path.sep).join("/");
  const isUnder = (folder: string): boolean => relative.startsWith(`${folder}/`);
  return PLAIN_FOLDERS.some(isUnder) && !STEPS_FOLDERS.some(isUnder);
}
