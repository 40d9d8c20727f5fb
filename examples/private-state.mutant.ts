import type { Mutant } from "godwit/lab";

const mutant: Mutant = {
  what: "a commit reads the bytes where the page was before it waited for the page's lock",
  file: "private-state.ts",
  text: "if (request.folio === folio) return folio;",
  replacement: "if (folio > 0) return folio;",
};

export default mutant;
