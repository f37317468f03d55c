/**
 * The encode stage: spans are written into the batch that fills, and a batch that is full goes on.
 *
 * A batch is full at `maxSpans` spans or at `maxBytes` bytes, whichever comes first; a span that alone is larger is a
 * batch by itself. Spans of several instrumentation scopes share a batch, each scope in a section of its own.
 *
 * **Example** (A batch that fills)
 *
 * ```ts
 * import { Batcher } from "effect-telemetry/export/Batcher"
 * import { protobuf } from "effect-telemetry/export/OtlpProtobuf"
 *
 * const batcher = new Batcher({
 *   encoding: protobuf,
 *   resource: { attributes: { "service.name": "shop" } },
 *   scope: { name: "shop" },
 *   maxSpans: 512,
 *   maxBytes: 1024 * 1024,
 *   full: () => {}
 * })
 * if (batcher.count !== 0) throw new Error("unexpected")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/
 */
import type { SpanData } from "../tracer/SpanData.ts"
import type { Part, SpanBatcher } from "./Batch.ts"
import type { EncodedSection, Encoding, InstrumentationScope, Resource, SpanWriter } from "./OtlpEncoder.ts"
import { type EncodedRequest, partOf } from "./OtlpSink.ts"

/** How batches are filled, and who takes them. */
export interface BatcherOptions {
  /** Protobuf or JSON: `OtlpProtobuf.protobuf`, `OtlpJson.json`. */
  readonly encoding: Encoding
  /** What every span of the batch says of its process. */
  readonly resource: Resource
  /** Of spans that do not name their own. */
  readonly scope: InstrumentationScope
  /** Spans of a batch, at most. */
  readonly maxSpans: number
  /** Bytes of a batch as it is encoded, at most. */
  readonly maxBytes: number
  /**
   * Takes what was encoded since the last call, at the end of every tick and before a batch goes on; the bytes are
   * valid only during the call. Absent where nobody writes it down.
   */
  readonly record?: ((scope: Uint8Array, spans: Uint8Array, count: number) => void) | undefined
  /** Takes a batch that is full. */
  readonly full: (part: Part<EncodedRequest>) => void
}

interface Section {
  readonly scope: Uint8Array
  readonly writer: SpanWriter
  count: number
  /** How much of it has been recorded. */
  recordedCount: number
  recordedBytes: number
}

/**
 * Encodes spans into the batch that fills, and hands it on when it is full or `finish` is called. It holds one batch, no queue.
 */
export class Batcher implements SpanBatcher {
  /** Spans in the batch that fills. */
  count = 0
  /** The limit may be lowered, where a collector takes no larger ones. */
  maxBytes: number
  private readonly options: BatcherOptions
  private readonly resource: Uint8Array
  private readonly own: Section
  private readonly others = new Map<string, Section>()
  // Spans in a row are mostly of one scope.
  private lastScope: InstrumentationScope | undefined
  private lastSection: Section

  constructor(options: BatcherOptions) {
    this.options = options
    this.maxBytes = options.maxBytes
    this.resource = options.encoding.resource(options.resource)
    this.own = this.section(options.scope)
    this.lastSection = this.own
  }

  /** Bytes in the batch that fills. */
  get bytes(): number {
    let bytes = this.own.writer.length
    if (this.others.size > 0) for (const section of this.others.values()) bytes += section.writer.length
    return bytes
  }

  /** Encodes a span; false where it cannot be. Never throws. */
  add(span: SpanData): boolean {
    const scope = (span as { readonly instrumentationScope?: InstrumentationScope }).instrumentationScope
    const section = scope === undefined ? this.own : scope === this.lastScope ? this.lastSection : this.sectionOf(scope)
    const { writer } = section
    const before = writer.length
    if (!writer.write(span)) return false
    if (this.bytes > this.maxBytes && this.count > 0) {
      // One too many: those before it go without it.
      const last = writer.copyFrom(before)
      writer.truncate(before)
      this.finish()
      writer.append(last)
    }
    section.count++
    if (++this.count >= this.options.maxSpans || this.bytes >= this.maxBytes) this.finish()
    return true
  }

  /** Lets what is new be recorded. */
  tick(): void {
    if (this.options.record === undefined || this.count === 0) return
    this.recordFrom(this.own)
    for (const section of this.others.values()) this.recordFrom(section)
  }

  private recordFrom(section: Section): void {
    const count = section.count - section.recordedCount
    if (count === 0) return
    this.options.record!(section.scope, section.writer.viewFrom(section.recordedBytes), count)
    section.recordedCount = section.count
    section.recordedBytes = section.writer.length
  }

  /** Hands on what there is, full or not. */
  finish(): void {
    if (this.count === 0) return
    this.tick()
    const sections: Array<EncodedSection> = []
    const taken: Array<Section> = []
    this.takeFrom(this.own, sections, taken)
    for (const section of this.others.values()) this.takeFrom(section, sections, taken)
    this.count = 0
    const release = (): void => taken.forEach(({ writer }, i) => writer.giveBack(sections[i]!.spans))
    this.options.full(partOf({ encoding: this.options.encoding, resource: this.resource, sections, release }))
  }

  private takeFrom(section: Section, sections: Array<EncodedSection>, taken: Array<Section>): void {
    if (section.count === 0) return
    taken.push(section)
    sections.push({ scope: section.scope, count: section.count, spans: section.writer.take() })
    section.count = 0
    section.recordedCount = 0
    section.recordedBytes = 0
  }

  private section(scope: InstrumentationScope): Section {
    const { encoding } = this.options
    return { scope: encoding.scope(scope), writer: encoding.writer(), count: 0, recordedCount: 0, recordedBytes: 0 }
  }

  private sectionOf(scope: InstrumentationScope): Section {
    const key = keyOf(scope)
    let section = key === keyOf(this.options.scope) ? this.own : this.others.get(key)
    if (section === undefined) {
      section = this.section(scope)
      this.others.set(key, section)
    }
    this.lastScope = scope
    this.lastSection = section
    return section
  }
}

/** OpenTelemetry: a scope is its name, version and schema URL. */
const keyOf = (scope: InstrumentationScope): string => `${scope.name}\n${scope.version ?? ""}\n${scope.schemaUrl ?? ""}`
