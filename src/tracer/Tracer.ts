/**
 * The tracer: Effect's `Tracer`, sampled by any OpenTelemetry `Sampler`, its spans handed to receivers.
 *
 * A span that head sampling drops is a small object with ids and nothing else (unless a receiver wants such spans for
 * decisions at a trace's end). A span that records is one object, `TelemetrySpan`. What it costs to keep it is paid by
 * the receiver that seals it.
 *
 * **Details**
 *
 * - A trace that starts here carries the W3C random flag. A child carries its parent's `tracestate`, and the random flag as
 *   its parent has it.
 * - `sampled: false` and spans below `Tracer.MinimumTraceLevel` are not recorded, and what starts under them is not either.
 * - With `interoperation` (the default) the active context of `@opentelemetry/api` follows the current span, and a span with
 *   no parent becomes the child of an active span of OpenTelemetry.
 *
 * **Example** (Every span's name and duration on the console)
 *
 * ```ts
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Tracer from "effect-telemetry/tracer/Tracer"
 *
 * const names: Array<string> = []
 * const TracerLive = Tracer.layer({
 *   receiver: { takesUnsampled: false, ended: (span) => void names.push(`${span.name} ${span.durationNanos} ns`) }
 * })
 *
 * const program = Effect.void.pipe(Effect.withSpan("work"), Effect.provide(TracerLive))
 * Effect.runPromise(Effect.andThen(program, Effect.suspend(() => Console.log(names.length))))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/
 */
import type * as Otel from "@opentelemetry/api"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { withoutThreshold, withPossibleThreshold } from "./ConsistentProbability.ts"
import * as Ids from "./Ids.ts"
import * as Limits from "./Limits.ts"
import * as OtelContext from "./OtelContext.ts"
import { NonRecordingTelemetrySpan, ReadableTelemetrySpan } from "./ReadableSpan.ts"
import * as Receivers from "./Receivers.ts"
import * as Redaction from "./Redaction.ts"
import * as Sampler from "./Sampler.ts"
import { LocalTrace } from "./LocalTrace.ts"
import { TelemetrySpan } from "./Span.ts"
import { kindCode, type KindCode } from "./SpanKind.ts"
import { UnsampledSpan } from "./UnsampledSpan.ts"
import type { InstrumentationScope, ResourceLike, SpanCore } from "./SpanCore.ts"
import * as SpanContext from "./SpanContext.ts"
import * as Stretch from "./Stretch.ts"
import * as TraceAttributes from "./TraceAttributes.ts"
import * as TraceClock from "./TraceClock.ts"

export type { InstrumentationScope, ResourceLike } from "./SpanCore.ts"
export type { ProcessorReceiver } from "./Receivers.ts"

/** How to trace. */
export interface TracerOptions {
  /** Where spans go: one, or several that each see every span. */
  readonly receiver: Receivers.ProcessorReceiver | ReadonlyArray<Receivers.ProcessorReceiver>
  /** Default: parent-based, every new trace. */
  readonly sampler?: Sampler.Sampler | undefined
  /** What differs from `Limits.defaults`. */
  readonly limits?: Parameters<typeof Limits.make>[0]
  /** Default: the rules of `Redaction`. `false`: nothing is redacted. */
  readonly redaction?: Redaction.RedactionOptions | Redaction.Redactor | false | undefined
  /** What every span says of its process. Default: nothing. */
  readonly resource?: ResourceLike | undefined
  /** The instrumentation scope of Effect's spans. Default: `effect-telemetry`. */
  readonly scope?: InstrumentationScope | undefined
  /** Whether to keep in step with `@opentelemetry/api`. Default true. */
  readonly interoperation?: boolean | undefined
  /** Default: random ids. */
  readonly idGenerator?: Ids.IdGenerator | undefined
}

/** A span as this tracer makes it: one that records, or the ids of one that does not. */
export type OwnSpan = TelemetrySpan | UnsampledSpan

/** Attributes, or how to make them for a span that is kept. */
export type AttributesInput = Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>)

const noResource: ResourceLike = { attributes: {} }
const defaultScope: InstrumentationScope = { name: "effect-telemetry" }
const defaultSampler = Sampler.parentBased(Sampler.alwaysOn)

/** Effect's tracer, ours. */
export class TelemetryTracer implements Tracer.Tracer {
  readonly core: SpanCore
  readonly interoperation: boolean
  readonly context: Tracer.Tracer["context"]
  readonly #rules: Sampler.Rules
  readonly #takesUnsampled: boolean

  constructor(core: SpanCore, rules: Sampler.Rules, takesUnsampled: boolean, interoperation: boolean) {
    this.core = core
    this.#rules = rules
    this.#takesUnsampled = takesUnsampled
    this.interoperation = interoperation
    this.context = interoperation ? (Stretch.context as unknown as Tracer.Tracer["context"]) : undefined
  }

  /** The same tracer for the spans of another library. */
  withScope(scope: InstrumentationScope): TelemetryTracer {
    return new TelemetryTracer({ ...this.core, scope }, this.#rules, this.#takesUnsampled, this.interoperation)
  }

  /** What Effect calls; `withSpan` of this folder goes around it. */
  span(options: Parameters<Tracer.Tracer["span"]>[0]): Tracer.Span {
    const given = options.parent._tag === "Some" ? options.parent.value : undefined
    const fiber = Fiber.getCurrent()
    const span = this.start(
      options.name,
      this.parentOf(given, options.root, false),
      options.annotations,
      options.links,
      kindCode(options.kind),
      overruled(options.sampled, given),
      fiber === undefined ? TraceClock.defaultClock : fiber.getRef(Clock.Clock),
      fiber === undefined ? undefined : TraceAttributes.ofFiber(fiber),
      undefined,
      undefined
    )
    if (span instanceof TelemetrySpan) {
      const { clock } = span.localTrace
      if (clock.live && options.startTime !== 0n) span.begin(true)
      else {
        TraceClock.set(clock, options.startTime)
        span.timed = options.startTime !== 0n
        span.beginAt(clock.seconds, clock.nanos)
      }
    }
    return span
  }

  /** The parent that takes part in tracing; where there is none, the active span of OpenTelemetry. */
  parentOf(given: Tracer.AnySpan | undefined, root: boolean, explicit: boolean): Tracer.AnySpan | undefined {
    if (given instanceof TelemetrySpan || given instanceof UnsampledSpan) {
      return this.interoperation && !explicit ? (OtelContext.nearerParent(given) ?? given) : given
    }
    let parent = given
    while (parent !== undefined && !Ids.areValid(parent.traceId, parent.spanId)) {
      parent = parent._tag === "Span" && parent.parent._tag === "Some" ? parent.parent.value : undefined
    }
    if (parent !== undefined || root || !this.interoperation) return parent
    return OtelContext.ambientParent()
  }

  /**
   * Makes a span that has yet to begin, or what stands for one that is not recorded. `sampled` overrules the sampler.
   * Attributes given as a function are made at once for a sampled span; for one that may be kept only later, when it is.
   */
  start(
    name: string,
    parent: Tracer.AnySpan | undefined,
    annotations: Context.Context<never>,
    links: ReadonlyArray<Tracer.SpanLink>,
    kind: KindCode,
    sampled: boolean | undefined,
    clock: Clock.Clock,
    holder: TraceAttributes.TraceAttributes | undefined,
    common: Readonly<Record<string, unknown>> | undefined,
    attributes: AttributesInput | undefined
  ): OwnSpan {
    const { core } = this
    let traceId: string
    let inheritedFlags: number
    let traceState: Otel.TraceState | undefined
    let local: LocalTrace | undefined
    let mayRecord = sampled !== false
    const rule = this.#ruleFor(parent)
    if (parent === undefined) {
      traceId = core.ids.traceId()
      inheritedFlags = core.ids.random ? SpanContext.RANDOM : 0
      if (annotations !== SpanContext.emptyAnnotations) traceState = SpanContext.traceStateOf(undefined, annotations)
    } else {
      traceId = parent.traceId
      if (parent instanceof TelemetrySpan && annotations === SpanContext.emptyAnnotations) {
        inheritedFlags = parent.traceFlags
        traceState = parent.traceStateObject
      } else {
        inheritedFlags = SpanContext.flagsOf(parent, annotations)
        traceState = SpanContext.traceStateOf(parent, annotations)
      }
      if (parent instanceof TelemetrySpan) {
        if (parent.core.family === core.family) local = parent.localTrace
      } else if (parent instanceof UnsampledSpan) mayRecord = false
    }
    let decision: Sampler.Decision = Sampler.NOT_RECORD
    let more: Readonly<Record<string, unknown>> | undefined
    let isMarked = false
    if (sampled !== undefined) decision = sampled ? Sampler.RECORD_AND_SAMPLED : Sampler.NOT_RECORD
    else if (typeof rule === "number") decision = rule
    else if (rule._tag === "Ratio") decision = rule.decide(traceId)
    else if (rule._tag === "Consistent") {
      if (rule.probability.keeps(traceId, traceState)) {
        decision = Sampler.RECORD_AND_SAMPLED
        traceState = rule.probability.mark(traceState)
        isMarked = true
      }
    } else {
      const result = Sampler.ask(rule, {
        context: () => this.#samplerContext(parent),
        traceId,
        name,
        kind,
        links,
        attributes: [common, attributes],
        rules: core.rules
      })
      decision = result.decision
      isMarked = result.traceState !== undefined
      traceState = result.traceState ?? traceState
      more = result.attributes
    }
    if (traceState !== undefined && !isMarked) {
      if (decision !== Sampler.RECORD_AND_SAMPLED) traceState = withoutThreshold(traceState)
      else if (!(parent instanceof TelemetrySpan)) traceState = this.#thresholdKept(traceState, traceId, parent)
    }
    const flags = (inheritedFlags & SpanContext.RANDOM) | (decision === Sampler.RECORD_AND_SAMPLED ? 1 : 0)
    if (decision === Sampler.NOT_RECORD && !(mayRecord && this.#takesUnsampled)) {
      return new UnsampledSpan(core, name, parent, annotations, kind, traceId, flags, traceState)
    }
    const span = new TelemetrySpan(
      core,
      name,
      parent,
      annotations,
      kind,
      traceId,
      core.ids.spanId(),
      flags,
      traceState,
      local ?? new LocalTrace(TraceClock.of(clock)),
      links,
      holder,
      decision
    )
    if (links.length > core.rules.limits.linkCount) span.limitLinks()
    if (common !== undefined) span.putAll(common)
    if (typeof attributes === "function") {
      span.lazyAttributes = attributes as () => Readonly<Record<string, unknown>>
      if (decision === Sampler.RECORD_AND_SAMPLED) span.resolveAttributes()
    } else if (attributes !== undefined) span.putAll(attributes)
    if (more !== undefined) span.putAll(more)
    return span
  }

  /** The span that stands for one under a span that does not record; `undefined` where the sampler has to be asked even so. */
  startUnderUnsampled(
    name: string,
    parent: UnsampledSpan,
    annotations: Context.Context<never>,
    kind: KindCode
  ): UnsampledSpan | undefined {
    if (this.#rules.localNotSampled !== Sampler.NOT_RECORD || annotations !== SpanContext.emptyAnnotations)
      return undefined
    return new UnsampledSpan(
      this.core,
      name,
      parent,
      annotations,
      kind,
      parent.traceId,
      parent.traceFlags,
      parent.traceStateObject
    )
  }

  #ruleFor(parent: Tracer.AnySpan | undefined): Sampler.Rule {
    const rules = this.#rules
    if (parent === undefined) return rules.root
    if (SpanContext.isRemote(parent)) return parent.sampled ? rules.remoteSampled : rules.remoteNotSampled
    return parent.sampled ? rules.localSampled : rules.localNotSampled
  }

  /** Who keeps what the caller kept stands for the same share; who would have kept the others too does not. */
  #thresholdKept(traceState: Otel.TraceState, traceId: string, parent: Tracer.AnySpan | undefined): Otel.TraceState {
    const follows = parent?.sampled === true && this.#rules.remoteNotSampled !== Sampler.RECORD_AND_SAMPLED
    return follows ? withPossibleThreshold(traceId, traceState) : withoutThreshold(traceState)
  }

  #samplerContext(parent: Tracer.AnySpan | undefined): Otel.Context {
    return OtelContext.samplerContext(parent, this.interoperation)
  }
}

/**
 * What overrules the sampler. Effect hands down `sampled: false` where a span was dropped by its caller or its level, and
 * also where only its parent is not sampled, of which the sampler is the judge.
 */
const overruled = (sampled: boolean, parent: Tracer.AnySpan | undefined): boolean | undefined =>
  parent !== undefined && !parent.sampled ? (sampled ? true : undefined) : sampled ? undefined : false

const redactorOf = (redaction: TracerOptions["redaction"]): Redaction.Redactor =>
  redaction === undefined
    ? Redaction.defaults
    : redaction === false
      ? Redaction.none
      : "keyClass" in redaction
        ? redaction
        : Redaction.make(redaction)

/** Makes a tracer. Spans keep in step with OpenTelemetry only where a context manager is registered: `layer` sees to it. */
export const make = (options: TracerOptions): TelemetryTracer => {
  const receiver = Receivers.combine(options.receiver)
  const core: SpanCore = {
    ids: options.idGenerator === undefined ? Ids.pooled : Ids.fromOpenTelemetry(options.idGenerator),
    rules: { limits: Limits.make(options.limits), redactor: redactorOf(options.redaction) },
    resource: options.resource ?? noResource,
    scope: options.scope ?? defaultScope,
    family: {},
    started: receiver.started,
    unrecorded: receiver.unrecorded,
    ending: receiver.ending,
    ended: receiver.ended,
    face: (span) => new ReadableTelemetrySpan(span),
    nonRecording: (span) => new NonRecordingTelemetrySpan(span)
  }
  return new TelemetryTracer(
    core,
    Sampler.compile(options.sampler ?? defaultSampler),
    receiver.takesUnsampled,
    options.interoperation !== false
  )
}

/** Makes a tracer, and sees to a context manager of OpenTelemetry for as long as the scope is open. */
export const scoped = (options: TracerOptions): Effect.Effect<TelemetryTracer, never, Scope.Scope> =>
  Effect.suspend(() => {
    const tracer = make(options)
    return tracer.interoperation ? Effect.as(OtelContext.install, tracer) : Effect.succeed(tracer)
  })

/** Installs a tracer. */
export const layer = (options: TracerOptions): Layer.Layer<never> => Layer.effect(Tracer.Tracer, scoped(options))
