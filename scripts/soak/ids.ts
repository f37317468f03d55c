/**
 * Span ids by the million: eight bytes each, sorted to be found again.
 */
export class Ids {
  private all = new BigUint64Array(1 << 16)
  private sorted = true
  length = 0

  /** Takes an id of 16 hexadecimal digits. */
  add(id: string): void {
    if (this.length === this.all.length) {
      const larger = new BigUint64Array(this.all.length * 2)
      larger.set(this.all)
      this.all = larger
    }
    this.all[this.length++] = BigInt(`0x${id}`)
    this.sorted = false
  }

  /** How often an id was added. */
  count(id: string): number {
    const wanted = BigInt(`0x${id}`)
    const { all } = this.sort()
    let from = 0
    let to = this.length
    while (from < to) {
      const middle = (from + to) >> 1
      if (all[middle]! < wanted) from = middle + 1
      else to = middle
    }
    let count = 0
    while (from + count < this.length && all[from + count] === wanted) count++
    return count
  }

  /** How many different ones there are. */
  distinct(): number {
    const { all } = this.sort()
    let count = 0
    for (let i = 0; i < this.length; i++) if (i === 0 || all[i] !== all[i - 1]) count++
    return count
  }

  private sort(): { readonly all: BigUint64Array } {
    if (!this.sorted) this.all.subarray(0, this.length).sort()
    this.sorted = true
    return { all: this.all }
  }
}
