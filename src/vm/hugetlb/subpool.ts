/**
 * A limit on what the files of one hugetlbfs mount may have of the pool.
 *
 * A page is charged when it is promised, or when it is used without a promise, and uncharged when
 * it is freed with nobody left to keep the promise for. A mount's minimum, which has pages promised
 * before anybody asks, is not built. Linux: `struct hugepage_subpool`, 6.1.
 */
import { assert } from "../../base/assert.ts";

export class Subpool {
  /** Index in `Hstate.subpools`. */
  readonly id: number;
  /** Huge pages. */
  readonly maxHugePages: number;
  usedHugePages = 0;

  constructor(id: number, maxHugePages: number) {
    this.id = id;
    this.maxHugePages = maxHugePages;
  }

  /** Linux: `hugepage_subpool_get_pages()`. */
  charge(count: number): boolean {
    if (this.usedHugePages + count > this.maxHugePages) return false;
    this.usedHugePages += count;
    return true;
  }

  /** Linux: `hugepage_subpool_put_pages()`. */
  uncharge(count: number): void {
    this.usedHugePages -= count;
    assert(this.usedHugePages >= 0, "a subpool gives back more than it has:", this.id);
  }
}
