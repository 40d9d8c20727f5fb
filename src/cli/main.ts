/**
 * The entry of the command line: the process's arguments and streams in, an exit status out.
 */
import { tuneEngine } from "../host/tune-engine.ts";
import { COMMANDS } from "./commands.ts";
import { dispatch } from "./dispatch.ts";
import { processIo } from "./io.ts";

tuneEngine();

// A reader that has seen enough (`| head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await dispatch(COMMANDS, process.argv.slice(2), processIo());
