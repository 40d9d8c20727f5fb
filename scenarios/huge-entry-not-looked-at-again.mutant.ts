import type { Mutant } from "../src/lab/index.ts";

const mutant: Mutant = {
  what: "after its wait a fault goes on with what it knew of the entry",
  file: "src/vm/huge/fault.ts",
  text: `      folioGet(mem, folio);
      yield* folioWaitUnlock(mem, folio);
      folioPut(mem, folio);
      return;
    }`,
  replacement: `      yield* folioWaitUnlock(mem, folio);
    }`,
  says: /no huge folio/,
};

export default mutant;
