/**
 * What a writeback is for, and how far it goes. Linux: `struct writeback_control`.
 */

export interface WritebackControl {
  /** "all": every page that is dirty now, for fsync. "none": for who wants memory clean. */
  readonly sync: "all" | "none";
  /** Page offsets, the last included. */
  readonly first: number;
  readonly last: number;
  /** Pages still to write; a sync of all goes on below zero. Linux: `nr_to_write`. */
  pagesToWrite: number;
  /** Where `first` and `last` mean nothing and the file goes round. Linux: `range_cyclic`. */
  readonly cyclic?: true;
}
