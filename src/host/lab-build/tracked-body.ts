/** A piece of code in its tracked form, to be run by a test with the recorder in hand. */
import { transformSync } from "esbuild";
import { ChangingNames, ModuleSource } from "./track.ts";

/** JavaScript of what is TypeScript. */
export function strip(source: string): string {
  return transformSync(source, { loader: "ts", target: "node20" }).code;
}

/**
 * The text of a function of `recorder` that does, tracked, what a function with `body` would.
 * Every line keeps its number.
 */
export function trackedBody(body: string): string {
  const module = new ModuleSource(`function program() {\n${body}\n}`, "program.ts");
  const changing = new ChangingNames();
  changing.add(module.names);
  const text = module.tracked(changing, "recorder");
  const [, imports = "", rest = ""] =
    /^import \{ (.*?) \} from "recorder"; ([\s\S]*)$/.exec(text) ?? [];
  // An import is a live binding, which a constant is not.
  const constants = imports
    .split(", ")
    .filter((each) => !each.startsWith("at as"))
    .map((each) => each.replace(" as ", ": "));
  const head = `const { ${constants.join(", ")} } = recorder;`;
  return `${head} ${strip(rest).replaceAll("_$at]", "recorder.at]")}\nreturn program();`;
}
