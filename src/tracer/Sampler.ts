/**
 * Head sampling: whether a span is recorded, decided before anything of it is made.
 *
 * Any `Sampler` of OpenTelemetry works. The standard ones (always on, always off, by the trace id's ratio, parent-based over
 * these) are recognised and decided without building what their interface wants: a context, an attribute object, a link
 * list. A sampler that throws counts as one that says yes: it must cost nobody a trace.
 *
 * **Details**
 *
 * A parent's decision is looked at by parent-based samplers only; that is the default.
 *
 * **Example** (One trace in ten, unless the caller decided)
 *
 * ```ts
 * import * as Sampler from "effect-telemetry/tracer/Sampler"
 *
 * const sampler = Sampler.parentBased(Sampler.consistentRatio(0.1))
 * console.log(sampler.toString())
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampling
 */
import { ConsistentProbability } from "./ConsistentProbability.ts"
import type * as Otel from "@opentelemetry/api"
import type * as Tracer from "effect/Tracer"
import * as AttributeValue from "./AttributeValue.ts"
import * as SpanContext from "./SpanContext.ts"
import type { Sampler, SamplingResult } from "@opentelemetry/sdk-trace-base"

export type { Sampler, SamplingResult } from "@opentelemetry/sdk-trace-base"

/** Dropped. The three decisions have the values of OpenTelemetry's `SamplingDecision`. */
export const NOT_RECORD = 0
/** Recorded, but not to be exported. */
export const RECORD = 1
/** Recorded, exported, and marked as sampled for whoever is called. */
export const RECORD_AND_SAMPLED = 2

/** What a sampler decides: `NOT_RECORD`, `RECORD` or `RECORD_AND_SAMPLED`. */
export type Decision = 0 | 1 | 2

/** What is known of a decision beforehand. */
export type Rule = typeof NOT_RECORD | typeof RECORD_AND_SAMPLED | RatioRule | ConsistentRule | AskRule

/** Decided by the trace id alone. */
export interface RatioRule {
  readonly _tag: "Ratio"
  readonly decide: (traceId: string) => typeof NOT_RECORD | typeof RECORD_AND_SAMPLED
}

/** Decided by the trace's randomness; what is kept is marked in `tracestate`. */
export interface ConsistentRule {
  readonly _tag: "Consistent"
  readonly probability: ConsistentProbability
}

/** Only the sampler knows. */
export interface AskRule {
  readonly _tag: "Ask"
  readonly sampler: Sampler
}

/** A sampler made ready: the rule for each kind of parent. */
export interface Rules {
  /** For a span without a parent. */
  readonly root: Rule
  /** For the child of a span of another process that is sampled; and so on. */
  readonly remoteSampled: Rule
  readonly remoteNotSampled: Rule
  readonly localSampled: Rule
  readonly localNotSampled: Rule
}

const always = (rule: Rule): Rules => ({
  root: rule,
  remoteSampled: rule,
  remoteNotSampled: rule,
  localSampled: rule,
  localNotSampled: rule
})

const decided: readonly [SamplingResult, SamplingResult] = [{ decision: NOT_RECORD }, { decision: RECORD_AND_SAMPLED }]

/** Samples every trace. */
export const alwaysOn: Sampler = { shouldSample: () => decided[1], toString: () => "AlwaysOnSampler" }

/** Samples none. */
export const alwaysOff: Sampler = { shouldSample: () => decided[0], toString: () => "AlwaysOffSampler" }

/** As the SDK for JavaScript does it: the four words of the trace id, combined, against the ratio. */
class TraceIdRatio implements Sampler {
  readonly ratio: number
  private readonly bound: number

  constructor(ratio: number) {
    this.ratio = Number.isNaN(ratio) ? 0 : Math.min(1, Math.max(0, ratio))
    this.bound = this.ratio === 1 ? 0x1_0000_0000 : Math.floor(this.ratio * 0xffff_ffff)
  }

  decide(traceId: string): typeof NOT_RECORD | typeof RECORD_AND_SAMPLED {
    let combined = 0
    for (let word = 0; word < 32; word += 8) {
      let value = 0
      for (let i = word; i < word + 8; i++) {
        const code = traceId.charCodeAt(i)
        value = (value << 4) | (code < 58 ? code - 48 : code < 71 ? code - 55 : code - 87)
      }
      combined = (combined ^ value) >>> 0
    }
    return combined < this.bound ? RECORD_AND_SAMPLED : NOT_RECORD
  }

  shouldSample(_context: Otel.Context, traceId: string): SamplingResult {
    return this.decide(traceId) === NOT_RECORD ? decided[0] : decided[1]
  }

  toString(): string {
    return `TraceIdRatioBased{${this.ratio}}`
  }
}

/** Samples a share of the traces, 0 to 1, the same ones in every process. Beyond the ends counts as the end. */
export const traceIdRatio = (ratio: number): Sampler => new TraceIdRatio(ratio)

class ConsistentRatio implements Sampler {
  readonly probability: ConsistentProbability

  constructor(ratio: number) {
    this.probability = new ConsistentProbability(ratio)
  }

  shouldSample(context: Otel.Context, traceId: string): SamplingResult {
    const traceState = (context.getValue(spanKey) as Otel.Span | undefined)?.spanContext().traceState
    return this.probability.keeps(traceId, traceState)
      ? { decision: RECORD_AND_SAMPLED, traceState: this.probability.mark(traceState) }
      : decided[0]
  }

  toString(): string {
    return `TraceIdRatioBased{${this.probability.ratio}}`
  }
}

/**
 * Samples a share of the traces, 0 to 1, consistently: what a smaller share keeps, a larger one keeps too, and what is kept says in
 * `tracestate` for how many it stands (`ConsistentProbability`).
 */
export const consistentRatio = (ratio: number): Sampler => new ConsistentRatio(ratio)

/** What a parent-based sampler asks for each kind of parent. Default: always on where the parent is sampled, otherwise off. */
export interface ParentBasedOptions {
  readonly remoteParentSampled?: Sampler | undefined
  readonly remoteParentNotSampled?: Sampler | undefined
  readonly localParentSampled?: Sampler | undefined
  readonly localParentNotSampled?: Sampler | undefined
}

class ParentBased implements Sampler {
  readonly root: Sampler
  readonly options: Required<{ readonly [K in keyof ParentBasedOptions]: Sampler }>

  constructor(root: Sampler, options: ParentBasedOptions) {
    this.root = root
    this.options = {
      remoteParentSampled: options.remoteParentSampled ?? alwaysOn,
      remoteParentNotSampled: options.remoteParentNotSampled ?? alwaysOff,
      localParentSampled: options.localParentSampled ?? alwaysOn,
      localParentNotSampled: options.localParentNotSampled ?? alwaysOff
    }
  }

  shouldSample(
    context: Otel.Context,
    traceId: string,
    name: string,
    kind: Otel.SpanKind,
    attributes: Otel.Attributes,
    links: Array<Otel.Link>
  ): SamplingResult {
    const span = context.getValue(spanKey) as Otel.Span | undefined
    const parent = span?.spanContext()
    const { options } = this
    const sampler =
      parent === undefined || !validTraceId.test(parent.traceId)
        ? this.root
        : parent.isRemote === true
          ? (parent.traceFlags & 1) !== 0
            ? options.remoteParentSampled
            : options.remoteParentNotSampled
          : (parent.traceFlags & 1) !== 0
            ? options.localParentSampled
            : options.localParentNotSampled
    return sampler.shouldSample(context, traceId, name, kind, attributes, links)
  }

  toString(): string {
    const { localParentNotSampled, localParentSampled, remoteParentNotSampled, remoteParentSampled } = this.options
    return (
      `ParentBased{root=${String(this.root)}, remoteParentSampled=${String(remoteParentSampled)}, ` +
      `remoteParentNotSampled=${String(remoteParentNotSampled)}, localParentSampled=${String(localParentSampled)}, ` +
      `localParentNotSampled=${String(localParentNotSampled)}}`
    )
  }
}

/** The key under which `@opentelemetry/api` keeps a context's span. */
const spanKey = Symbol.for("OpenTelemetry Context Key SPAN")
const validTraceId = /^(?!0{32})[0-9a-f]{32}$/i

/** Follows the parent's decision; for a trace that starts here it asks `root`. */
export const parentBased = (root: Sampler, options: ParentBasedOptions = {}): Sampler => new ParentBased(root, options)

/** Makes a sampler ready. The SDK's standard samplers are recognised by their names and their own descriptions. */
export const compile = (sampler: Sampler): Rules => {
  if (sampler instanceof ParentBased) return fromParentBased(sampler.root, sampler.options)
  const theirs = standardParentBased(sampler)
  if (theirs !== undefined) return fromParentBased(theirs._root, theirs)
  return always(ruleOf(sampler))
}

const fromParentBased = (
  root: Sampler,
  options: { readonly [K in keyof ParentBasedOptions]?: Sampler | undefined } & Partial<StandardParentBased>
): Rules => ({
  root: ruleOf(root),
  remoteSampled: ruleOf(options.remoteParentSampled ?? options._remoteParentSampled ?? alwaysOn),
  remoteNotSampled: ruleOf(options.remoteParentNotSampled ?? options._remoteParentNotSampled ?? alwaysOff),
  localSampled: ruleOf(options.localParentSampled ?? options._localParentSampled ?? alwaysOn),
  localNotSampled: ruleOf(options.localParentNotSampled ?? options._localParentNotSampled ?? alwaysOff)
})

interface StandardParentBased {
  readonly _root: Sampler
  readonly _remoteParentSampled: Sampler
  readonly _remoteParentNotSampled: Sampler
  readonly _localParentSampled: Sampler
  readonly _localParentNotSampled: Sampler
}

const isSampler = (value: unknown): value is Sampler =>
  typeof value === "object" && value !== null && typeof (value as Sampler).shouldSample === "function"

const standardParentBased = (sampler: Sampler): StandardParentBased | undefined => {
  if (nameOf(sampler) !== "ParentBasedSampler" || !describe(sampler).startsWith("ParentBased{root=")) return undefined
  const parts = sampler as unknown as StandardParentBased
  return isSampler(parts._root) &&
    isSampler(parts._remoteParentSampled) &&
    isSampler(parts._remoteParentNotSampled) &&
    isSampler(parts._localParentSampled) &&
    isSampler(parts._localParentNotSampled)
    ? parts
    : undefined
}

const nameOf = (sampler: Sampler): string => (sampler.constructor as { readonly name?: string } | undefined)?.name ?? ""

const describe = (sampler: Sampler): string => {
  try {
    return String(sampler)
  } catch {
    return ""
  }
}

const ratioDescription = /^TraceIdRatioBased\{([\d.e+-]+)\}$/

const ruleOf = (sampler: Sampler): Rule => {
  if (sampler === alwaysOn) return RECORD_AND_SAMPLED
  if (sampler === alwaysOff) return NOT_RECORD
  if (sampler instanceof TraceIdRatio) return ratioRule(sampler)
  if (sampler instanceof ConsistentRatio) {
    return sampler.probability.ratio === 0 ? NOT_RECORD : { _tag: "Consistent", probability: sampler.probability }
  }
  const description = describe(sampler)
  switch (nameOf(sampler)) {
    case "AlwaysOnSampler":
      if (description === "AlwaysOnSampler") return RECORD_AND_SAMPLED
      break
    case "AlwaysOffSampler":
      if (description === "AlwaysOffSampler") return NOT_RECORD
      break
    case "TraceIdRatioBasedSampler": {
      const ratio = ratioDescription.exec(description)
      if (ratio !== null) return ratioRule(new TraceIdRatio(Number(ratio[1])))
      break
    }
  }
  return { _tag: "Ask", sampler }
}

const ratioRule = (sampler: TraceIdRatio): Rule =>
  sampler.ratio === 1
    ? RECORD_AND_SAMPLED
    : sampler.ratio === 0
      ? NOT_RECORD
      : { _tag: "Ratio", decide: (traceId) => sampler.decide(traceId) }

/** What a sampler is told, made only for one that is asked. */
export interface Question {
  /** Makes OpenTelemetry's context of the parent. */
  readonly context: () => Otel.Context
  readonly traceId: string
  readonly name: string
  /** OpenTelemetry's `SpanKind`. */
  readonly kind: number
  readonly links: ReadonlyArray<Tracer.SpanLink>
  /** Attributes that are known at the start; later ones go before earlier ones. */
  readonly attributes: ReadonlyArray<
    Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>) | undefined
  >
  readonly rules: AttributeValue.Rules
}

/** Asks a sampler. Never throws. */
export const ask = (
  rule: AskRule,
  question: Question
): Omit<SamplingResult, "decision"> & { readonly decision: Decision } => {
  try {
    const result = rule.sampler.shouldSample(
      question.context(),
      question.traceId,
      question.name,
      question.kind,
      attributesOf(question),
      question.links.map((link) => ({
        context: SpanContext.toOtel(link.span),
        attributes: { ...link.attributes } as Otel.Attributes
      }))
    )
    const decision = result.decision as number
    return { ...result, decision: decision === NOT_RECORD || decision === RECORD ? decision : RECORD_AND_SAMPLED }
  } catch {
    return { decision: RECORD_AND_SAMPLED }
  }
}

const attributesOf = (question: Question): Otel.Attributes => {
  const attributes: Otel.Attributes = {}
  for (const part of question.attributes) {
    const record = typeof part === "function" ? part() : part
    for (const key in record) {
      const value = AttributeValue.convert(record[key], question.rules)
      if (value !== undefined && key !== "__proto__") attributes[key] = value as Otel.AttributeValue
    }
  }
  return attributes
}
