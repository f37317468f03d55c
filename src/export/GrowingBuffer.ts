/**
 * A buffer that spans are encoded into, which grows, and goes on its way as it is where it is mostly full: a copy of a
 * megabyte, into memory that the system has to provide page by page, costs half as much as encoding it. What has been sent
 * is given back, and filled again: 64 MiB of new buffers make V8 collect garbage of all generations, which the application feels
 * whenever a collector is slow. What was not needed for a while is let go.
 *
 * @internal
 */

const initialSize = 64 * 1024
/** A buffer that had to grow beyond this is not used again. */
const keptSize = 4 * 1024 * 1024
/** Buffers that are kept to be filled again, needed or not. */
const keptCount = 4
/** After so many fills, or when a batch goes before it is full, what was not needed since the last time is let go. */
const trimEvery = 128
/** A buffer that is filled to this part goes on its way; of a lesser part a copy takes less memory while it waits. */
const mostlyFull = 0.75

export class GrowingBuffer {
  protected buffer: Buffer = Buffer.allocUnsafeSlow(initialSize)
  protected view = new DataView(this.buffer.buffer)
  protected position = 0
  /** Another one from the moment on from which what stood in the buffer may stand there no more. */
  protected generation = 0
  private readonly free: Array<Buffer> = []
  /** The fewest that were free since the last time that some were let go. */
  private leastFree = 0
  private filled = 0
  private readonly taken = new WeakSet<Uint8Array>()

  get length(): number {
    return this.position
  }

  viewFrom(offset: number): Uint8Array {
    return this.buffer.subarray(offset, this.position)
  }

  copyFrom(offset: number): Uint8Array {
    const copy = Buffer.allocUnsafeSlow(this.position - offset)
    this.buffer.copy(copy, 0, offset, this.position)
    return copy
  }

  truncate(offset: number): void {
    this.position = offset
    this.generation++
  }

  append(spans: Uint8Array): void {
    this.reserve(spans.length)
    this.buffer.set(spans, this.position)
    this.position += spans.length
  }

  take(): Uint8Array {
    const { buffer, position } = this
    const goes = position >= buffer.length * mostlyFull && buffer.length <= keptSize
    const bytes = goes ? buffer.subarray(0, position) : this.copyFrom(0)
    if (goes) {
      this.taken.add(bytes)
      this.use(this.free.pop() ?? Buffer.allocUnsafeSlow(buffer.length))
      this.leastFree = Math.min(this.leastFree, this.free.length)
    } else if (buffer.length > keptSize) this.use(Buffer.allocUnsafeSlow(initialSize))
    if (!goes || ++this.filled === trimEvery) this.trim()
    this.position = 0
    this.generation++
    return bytes
  }

  giveBack(bytes: Uint8Array): void {
    // Only what `take` gave, and only once.
    if (this.taken.delete(bytes)) this.free.push(Buffer.from(bytes.buffer as ArrayBuffer))
  }

  private trim(): void {
    const { free, leastFree } = this
    free.length = Math.max(Math.min(free.length, keptCount), free.length - leastFree)
    this.leastFree = free.length
    this.filled = 0
  }

  protected reserve(size: number): void {
    if (this.position + size > this.buffer.length) this.grow(size)
  }

  private grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.position + size))
    this.buffer.copy(larger, 0, 0, this.position)
    this.use(larger)
  }

  private use(buffer: Buffer): void {
    this.buffer = buffer
    this.view = new DataView(buffer.buffer)
  }
}
