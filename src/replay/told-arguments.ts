/**
 * What setup and description tell of a call's arguments where the call itself does not.
 */

/** Null for what was not told. */
export interface ToldArguments {
  nrPages: number | null;
  /** By entry; "query" for a null pointer. */
  nodes: readonly number[] | "query" | null;
  /** How many entries of each array lie in mapped memory. */
  pagesMapped: number | null;
  nodesMapped: number | null;
  statusMapped: number | null;
}

export const UNTOLD: ToldArguments = {
  nrPages: null,
  nodes: null,
  pagesMapped: null,
  nodesMapped: null,
  statusMapped: null,
};
