/** What every bundle for Node begins with. */

/** Packages that are not modules themselves ask for Node's own by `require`. */
export const requireForPackages: readonly string[] = [
  'import { createRequire } from "node:module";',
  "const require = createRequire(import.meta.url);",
];
