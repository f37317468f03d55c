/**
 * Who asks, and for which request: ids that are set once and appear on every span and log line below.
 *
 * `setUser`, `setRequest` and `setCorrelationId` change the request at hand: what runs under it, background fibers that
 * it started included, carries `user.id`, `organization.id`, `request.id` and `trace.correlation_id` on its spans and in
 * its logs, and sends them on. HTTP servers of this library begin a request by themselves; elsewhere `provide` begins
 * one. Logs and headers carry the ids when tracing is off, too.
 *
 * A job that leaves the request through a queue takes `capture` with it, and `continueJob` runs it with the same ids, in
 * a trace of its own that is linked to the request's.
 *
 * **Gotchas**
 *
 * Outside of any request, the setters hold for the current span and for the rest of the enclosing effect. An id that is not accepted is a typed
 * failure, and nothing is set.
 *
 * **Example** (A job that remembers its request)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Correlation from "effect-telemetry/propagation/Correlation"
 *
 * const enqueue = Effect.gen(function* () {
 *   yield* Correlation.setUser({ userId: "u-42" })
 *   const message = { task: "transcode", trace: yield* Correlation.capture }
 *   return JSON.stringify(message)
 * }).pipe(Correlation.provide({ correlationId: "c-1" }), Effect.withSpan("enqueue", { kind: "producer" }))
 *
 * const work = (message: string) =>
 *   Correlation.current.pipe(Correlation.continueJob("transcode", JSON.parse(message).trace))
 *
 * const ids = await Effect.runPromise(Effect.flatMap(enqueue, work))
 * console.log(ids.userId, ids.correlationId) // u-42 c-1
 * ```
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Result from "effect/Result"
import type * as Tracer from "effect/Tracer"
import { recordingSpan } from "../tracer/Recording.ts"
import * as TraceAttributes from "../tracer/TraceAttributes.ts"
import { withSpan } from "../tracer/withSpan.ts"
import * as Baggage from "./Baggage.ts"
import * as Carrier from "./Carrier.ts"
import * as Propagators from "./Propagators.ts"
import { uuid } from "./RequestIds.ts"

/** The ids of a request. */
export interface Ids {
  /** `user.id`: 1 to 256 characters, none of them a control character. */
  readonly userId?: string | undefined
  /** `organization.id`: as `user.id`. */
  readonly organizationId?: string | undefined
  /** `request.id`: 1 to 128 characters of `A-Z a-z 0-9 . _ : / + = @ ~ | -`. */
  readonly requestId?: string | undefined
  /** `trace.correlation_id`: as `request.id`. */
  readonly correlationId?: string | undefined
}

/** The header of the id that stays the same through all requests that belong together. */
export const CORRELATION_HEADER = "x-correlation-id"

/** The header of the id of one request. */
export const REQUEST_HEADER = "x-request-id"

type Name = keyof Ids

/** The attribute of each id, which is also its name in logs and in baggage. */
const keys: Readonly<Record<Name, string>> = {
  userId: "user.id",
  organizationId: "organization.id",
  requestId: "request.id",
  correlationId: "trace.correlation_id"
}
const names = Object.keys(keys) as ReadonlyArray<Name>
const attributes = Object.values(keys)

const tokenPattern = /^[A-Za-z0-9._:/+=@~|-]{1,128}$/
const textPattern = /^[^\p{Cc}\p{Cs}\u2028\u2029]{1,256}$/u

const isAccepted = (name: Name, value: string): boolean =>
  (name === "requestId" || name === "correlationId" ? tokenPattern : textPattern).test(value)

/** An id that is not accepted. */
export class InvalidIdError extends Data.TaggedError("InvalidIdError")<{
  /** The attribute: `user.id`, `organization.id`, `request.id` or `trace.correlation_id`. */
  readonly id: string
  /** The value, cut at 64 characters. */
  readonly value: string
}> {
  override get message(): string {
    const accepted =
      this.id === keys.requestId || this.id === keys.correlationId
        ? "1 to 128 characters of A-Z a-z 0-9 . _ : / + = @ ~ | -"
        : "1 to 256 characters, none of them a control character"
    return `${this.id} is ${JSON.stringify(this.value)}: accepted are ${accepted}`
  }
}

const validate = (ids: Ids): Result.Result<Ids, InvalidIdError> => {
  for (const name of names) {
    const value: unknown = ids[name]
    if (value === undefined) continue
    if (typeof value !== "string" || !isAccepted(name, value)) {
      return Result.fail(new InvalidIdError({ id: keys[name], value: String(value).slice(0, 64).toWellFormed() }))
    }
  }
  return Result.succeed(ids)
}

// -----------------------------------------------------------------------------
// The request at hand
// -----------------------------------------------------------------------------

/** The holder of a request, with what else there is one of for each request. */
class Request extends TraceAttributes.TraceAttributes {
  /**
   * The request's log annotations, as one record that its setters change, so that fibers which are running already log with
   * what was set later.
   */
  readonly log: Record<string, unknown>
  #ids: Ids = {}
  #known: TraceAttributes.Snapshot | undefined = undefined

  constructor(snapshot: TraceAttributes.Snapshot, log: Record<string, unknown>) {
    super(snapshot)
    this.log = log
  }

  /** The ids that it holds, where they are known: then they need not be looked for and checked. */
  get ids(): Ids | undefined {
    return this.#known === this.snapshot ? this.#ids : undefined
  }

  /** Says which ids it holds, until it holds something else. */
  remember(ids: Ids): void {
    this.#ids = ids
    this.#known = this.snapshot
  }
}

/**
 * Begins a request: gives it a holder and log annotations of its own, which start with what the context has already. A
 * fresh request takes over no ids: those are of the fiber that started the server.
 *
 * @internal
 */
export const enter = (
  context: Context.Context<never>,
  ids: Ids,
  options: { readonly fresh: boolean }
): Context.Context<never> => {
  const annotations = Context.get(context, References.CurrentLogAnnotations)
  const outer = Context.get(context, TraceAttributes.Current)
  const log: Record<string, unknown> = {}
  for (const key of Object.keys(annotations)) {
    if (!options.fresh || !attributes.includes(key)) log[key] = annotations[key]
  }
  annotate(log, ids)
  const request = new Request(outer === undefined ? snapshotOf(ids) : outer.snapshot, log)
  if (outer !== undefined) {
    if (options.fresh) for (const key of attributes) request.delete(key)
    put(request, ids)
  } else if (options.fresh) request.remember(ids)
  return Context.addUnsafe(
    Context.addUnsafe(context, TraceAttributes.Current.key, request),
    References.CurrentLogAnnotations.key,
    log
  )
}

/** The attributes of each combination of ids: every request has one of these lists. */
const combinations: ReadonlyArray<ReadonlyArray<string>> = Array.from({ length: 1 << names.length }, (_, combination) =>
  attributes.filter((_, index) => (combination & (1 << index)) !== 0)
)
const requestAndCorrelation = combinations.find(
  (list) => list.length === 2 && list.includes(keys.requestId) && list.includes(keys.correlationId)
)!

/** What a holder of these ids, and of nothing else, holds. */
const snapshotOf = (ids: Ids): TraceAttributes.Snapshot => {
  if (ids.userId === undefined && ids.requestId !== undefined && ids.correlationId !== undefined) {
    if (ids.organizationId === undefined) {
      return { keys: requestAndCorrelation, values: [ids.requestId, ids.correlationId] }
    }
  }
  const values: Array<string> = []
  let combination = 0
  for (let index = 0; index < names.length; index++) {
    const value = ids[names[index]!]
    if (value === undefined) continue
    values.push(value)
    combination |= 1 << index
  }
  return { keys: combinations[combination]!, values }
}

const put = (holder: TraceAttributes.TraceAttributes, ids: Ids): void => {
  for (const name of names) if (ids[name] !== undefined) holder.set(keys[name], ids[name])
}

const annotate = (log: Record<string, unknown>, ids: Ids): void => {
  for (const name of names) if (ids[name] !== undefined) log[keys[name]] = ids[name]
}

const setAll = (ids: Ids): Effect.Effect<void, InvalidIdError> =>
  Effect.withFiber((fiber) => {
    const valid = validate(ids)
    if (Result.isFailure(valid)) return Effect.fail(valid.failure)
    const holder = TraceAttributes.ofFiber(fiber)
    if (holder === undefined) {
      // The span that is open here began before there was a holder, so it has to be told by itself.
      const span = recordingSpan(fiber)
      for (const name of names) if (ids[name] !== undefined) span?.attribute(keys[name], ids[name])
      fiber.setContext(enter(fiber.context, ids, { fresh: false }))
      return Effect.void
    }
    put(holder, ids)
    const log = holder instanceof Request ? holder.log : undefined
    if (log !== undefined) annotate(log, ids)
    // Inside of `Effect.annotateLogs` the fiber has a copy, which has to be told by itself.
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    if (annotations !== log) {
      const copy: Record<string, unknown> = { ...annotations }
      annotate(copy, ids)
      fiber.setContext(Context.add(fiber.context, References.CurrentLogAnnotations, copy))
    }
    return Effect.void
  })

/** Says who asks: `user.id`, and `organization.id` where there is one. Fails where an id is not accepted; see `Ids`. */
export const setUser = (user: {
  readonly userId: string
  readonly organizationId?: string | undefined
}): Effect.Effect<void, InvalidIdError> => setAll({ userId: user.userId, organizationId: user.organizationId })

/** Names the request: `request.id`, sent on and echoed as `X-Request-ID`. Fails where the id is not accepted; see `Ids`. */
export const setRequest = (requestId: string): Effect.Effect<void, InvalidIdError> => setAll({ requestId })

/**
 * Names what the request belongs to: `trace.correlation_id`, sent on and echoed as `X-Correlation-ID`. Fails where the id is not
 * accepted; see `Ids`.
 */
export const setCorrelationId = (correlationId: string): Effect.Effect<void, InvalidIdError> =>
  setAll({ correlationId })

/** The ids of a fiber's request. */
export const ofFiber = (fiber: Fiber.Fiber<unknown, unknown>): Ids => {
  const holder = TraceAttributes.ofFiber(fiber)
  if (holder === undefined) return {}
  const known = holder instanceof Request ? holder.ids : undefined
  if (known !== undefined) return known
  const ids: { -readonly [K in Name]?: string } = {}
  for (const name of names) {
    const value = holder.get(keys[name])
    // Others may have put anything into the holder; what is sent on has to be fit for a header.
    if (typeof value === "string" && isAccepted(name, value)) ids[name] = value
  }
  if (holder instanceof Request) holder.remember(ids)
  return ids
}

/** The ids of the request at hand. */
export const current: Effect.Effect<Ids> = Effect.withFiber((fiber) => Effect.succeed(ofFiber(fiber)))

/**
 * Begins a request where no HTTP server does: a script, a scheduled task, a socket's message. Ids that are known already
 * are kept where no new ones are given, a missing correlation id is made, and nothing that is set inside is seen outside. Fails,
 * without running the effect, where an id is not accepted.
 */
export const provide =
  (ids: Ids = {}) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | InvalidIdError, R> =>
    Effect.withFiber((fiber): Effect.Effect<A, E | InvalidIdError, R> => {
      const valid = validate(ids)
      if (Result.isFailure(valid)) return Effect.fail(valid.failure)
      const correlationId = ids.correlationId ?? ofFiber(fiber).correlationId ?? uuid()
      return Effect.updateContext(
        self,
        (context: Context.Context<R>) =>
          enter(context as Context.Context<never>, { ...ids, correlationId }, { fresh: false }) as Context.Context<R>
      )
    })

// -----------------------------------------------------------------------------
// Over the border
// -----------------------------------------------------------------------------

/**
 * Reads the ids of a caller. Those of one that is not trusted are not taken over; what is missing or not accepted is
 * made: correlation and request ids always, the others never.
 *
 * @internal
 */
export const accept = (carrier: Carrier.Carrier, baggage: Baggage.Baggage, trusted: boolean): Ids =>
  trusted
    ? accepted(
        only(Carrier.values(carrier, REQUEST_HEADER)),
        only(Carrier.values(carrier, CORRELATION_HEADER)),
        baggage
      )
    : { requestId: uuid(), correlationId: uuid() }

/**
 * The same for the headers of an HTTP request, whose names are in lower case and whose values are texts.
 *
 * @internal
 */
export const acceptHeaders = (
  headers: Readonly<Record<string, unknown>>,
  baggage: Baggage.Baggage,
  trusted: boolean
): Ids =>
  trusted
    ? accepted(headers[REQUEST_HEADER], headers[CORRELATION_HEADER], baggage)
    : { requestId: uuid(), correlationId: uuid() }

const accepted = (request: unknown, correlation: unknown, baggage: Baggage.Baggage): Ids => {
  const requestId = idIn(request, "requestId") ?? uuid()
  const given = idIn(correlation, "correlationId")
  if (baggage.size === 0) return { requestId, correlationId: given ?? uuid() }
  const ids: { -readonly [K in Name]?: string } = {}
  for (const name of ["userId", "organizationId"] as const) {
    const value = idIn(Baggage.get(baggage, keys[name]), name)
    if (value !== undefined) ids[name] = value
  }
  ids.requestId = requestId
  ids.correlationId = given ?? idIn(Baggage.get(baggage, keys.correlationId), "correlationId") ?? uuid()
  return ids
}

const idIn = (value: unknown, name: Name): string | undefined =>
  typeof value === "string" && isAccepted(name, value) ? value : undefined

const only = (values: ReadonlyArray<string>): string | undefined => (values.length === 1 ? values[0] : undefined)

/** The headers of a request's ids, in lower case. */
export const idHeaders = (ids: Ids): Record<string, string> => ({
  ...(ids.correlationId === undefined ? undefined : { [CORRELATION_HEADER]: ids.correlationId }),
  ...(ids.requestId === undefined ? undefined : { [REQUEST_HEADER]: ids.requestId })
})

/**
 * The baggage to send: that of the fiber, with the ids as they are now. Correlation id and user id always travel;
 * organization and request id where they came as baggage, or where all are asked for.
 *
 * @internal
 */
export const outgoingBaggage = (fiber: Fiber.Fiber<unknown, unknown>, ids: Ids, all: boolean): Baggage.Baggage => {
  const baggage = new Map(fiber.getRef(Baggage.CurrentBaggage))
  for (const name of names) {
    const key = keys[name]
    const travels = all || name === "correlationId" || name === "userId" || baggage.has(key)
    const value = ids[name]
    if (value === undefined) baggage.delete(key)
    else if (travels) baggage.set(key, { value, properties: baggage.get(key)?.properties ?? [] })
  }
  return baggage
}

/** What a message carries of the request that sent it: names and values, fit for JSON and for message headers. */
export type JobCarrier = Readonly<Record<string, string>>

/**
 * Takes what a job needs in order to belong to this request: its trace, its baggage and its ids, in the configured
 * formats. It is meant for queues of one's own: baggage and user id are in it, whatever the trust in hosts says.
 */
export const capture: Effect.Effect<JobCarrier> = Effect.withFiber((fiber) => {
  const ids = ofFiber(fiber)
  return Effect.succeed({
    ...Propagators.injectWith(fiber.getRef(Propagators.CurrentPropagators), {
      span: Propagators.sentSpan(fiber),
      baggage: outgoingBaggage(fiber, ids, true)
    }),
    ...idHeaders(ids)
  })
})

/** How a job belongs to the request that sent it. */
export interface ContinueOptions {
  /**
   * `"link"`: a trace of its own with a link to the producer's span, as messaging wants it (a job may run hours later,
   * several times, or in a batch). `"child"`: a part of the producer's trace. Default: `"link"`.
   */
  readonly as?: "link" | "child" | undefined
  /** Whether the queue can be trusted; otherwise the job is linked, with new ids and no baggage. Default: `true`. */
  readonly trusted?: boolean | undefined
  /** Attributes of the job's span. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
  /** More links, as for a batch: see {@link linksTo}. */
  readonly links?: ReadonlyArray<Tracer.SpanLink> | undefined
}

/**
 * Runs a job with the ids and the baggage of the request that sent it, in a consumer span of the name given. A carrier
 * that can't be read makes a trace with new ids, never a failure.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
export const continueJob =
  (name: string, carrier: Carrier.Carrier, options: ContinueOptions = {}) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
    Effect.withFiber((fiber) => {
      const extracted = Propagators.extractWith(fiber.getRef(Propagators.CurrentPropagators), carrier)
      const trusted = options.trusted !== false
      const baggage = trusted ? extracted.baggage : Baggage.empty
      // `request.id` travels as a field of its own, so that it is there without the baggage format.
      const ids = accept(carrier, baggage, trusted)
      const child = options.as === "child" && trusted ? extracted.span : undefined
      const links = [
        ...(extracted.span === undefined || child !== undefined ? [] : [{ span: extracted.span, attributes: {} }]),
        ...(options.links ?? [])
      ]
      return self.pipe(
        withSpan(
          name,
          {
            kind: "consumer",
            ...(child === undefined ? { root: true } : { parent: child }),
            links,
            ...(options.attributes === undefined ? undefined : { attributes: { ...options.attributes } })
          },
          { captureStackTrace: false }
        ),
        Effect.updateContext(
          (context: Context.Context<Exclude<R, Tracer.ParentSpan>>) =>
            Context.add(
              enter(context as Context.Context<never>, ids, { fresh: true }),
              Baggage.CurrentBaggage,
              baggage
            ) as Context.Context<Exclude<R, Tracer.ParentSpan>>
        )
      )
    })

/** Links to the spans that sent several messages, for a job that takes them in a batch. */
export const linksTo = (carriers: Iterable<Carrier.Carrier>): Effect.Effect<ReadonlyArray<Tracer.SpanLink>> =>
  Effect.map(Propagators.CurrentPropagators, (propagators) => {
    const links: Array<Tracer.SpanLink> = []
    for (const carrier of carriers) {
      const { span } = Propagators.extractWith(propagators, carrier)
      if (span !== undefined) links.push({ span, attributes: {} })
    }
    return links
  })
