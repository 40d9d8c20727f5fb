/**
 * What is known of how a file is being read: the window that was read ahead last.
 *
 * The window is `size` pages from `start`; the folio that is `asyncSize` pages before its end has
 * `PG.readahead`, and whoever comes to it begins the next window, so that a reader in sequence
 * never waits. Linux: `struct file_ra_state`.
 */

/** Pages of the largest window: 128 KiB. Linux: VM_READAHEAD_PAGES. */
const READAHEAD_PAGES = 32;

export class FileReadahead {
  start = 0;
  size = 0;
  asyncSize = 0;
  /** Page offset of the last read; -1 before the first. Linux: `prev_pos`. */
  previous = -1;
  /** Pages of the largest window; 0 for none. Linux: `ra_pages`. */
  readonly pagesMax: number;

  constructor(pagesMax: number = READAHEAD_PAGES) {
    this.pagesMax = pagesMax;
  }

  /** The first window of a reader that wants `pages`. Linux: `get_init_ra_size()`. */
  firstSize(pages: number): number {
    const rounded = 2 ** Math.ceil(Math.log2(pages));
    if (rounded <= this.pagesMax / 32) return rounded * 4;
    return rounded <= this.pagesMax / 4 ? rounded * 2 : this.pagesMax;
  }

  /** Of a reader that goes on. Linux: `get_next_ra_size()`. */
  get nextSize(): number {
    if (this.size < this.pagesMax / 16) return this.size * 4;
    return this.size <= this.pagesMax / 2 ? this.size * 2 : this.pagesMax;
  }
}
