/**
 * One attempt of a client that is not Effect's (a vendor's SDK with a transport of its own): a client span named `{METHOD}`,
 * and the headers that carry it, the request's ids and, to trusted hosts, its baggage.
 *
 * A client's official hook (a connection class, a middleware) says where the request goes, takes the headers, and says what
 * was answered. `http/HttpClient` does the same for Effect's own clients.
 *
 * **Details**
 *
 * The span ends with the effect: a status of 400 and above makes it an error with `error.type` = the status, whatever the client
 * made of it, unless that is expected; otherwise it ends as the effect does. `http.request.resend_count` is what the operation around it says
 * (`operation/ResendCount`). Where nothing is traced, the headers still carry the caller's trace and ids.
 *
 * **Example** (A request by hand)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as AttemptSpan from "effect-telemetry/http/AttemptSpan"
 *
 * // In place of a vendor's client.
 * const send = (url: URL, headers: Record<string, string>) =>
 *   Promise.resolve({ status: 200, body: `${url.pathname} ${Object.keys(headers).length}` })
 *
 * const program = AttemptSpan.attempt("GET", (attempt) =>
 *   Effect.promise(() =>
 *     AttemptSpan.quietly(async () => {
 *       const url = new URL("https://search.internal/posts")
 *       const response = await send(url, attempt.sentTo(url))
 *       attempt.answered(response.status)
 *       return response.body
 *     })
 *   )
 * )
 *
 * console.log(await Effect.runPromise(program)) // /posts 0
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
import * as Otel from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import { ResendCount } from "../operation/ResendCount.ts"
import * as Correlation from "../propagation/Correlation.ts"
import * as Propagators from "../propagation/Propagators.ts"
import * as Trust from "../propagation/Trust.ts"
import { isRecording } from "../tracer/Recording.ts"
import * as SemconvStability from "../tracer/SemconvStability.ts"
import * as HttpAttributes from "./HttpAttributes.ts"

/** What the hook of a client tells of the request at hand. Neither throws. */
export interface Attempt {
  /** Says where the request goes, with path and query; gives the headers that it has to carry, in lower case. */
  readonly sentTo: (url: URL) => Record<string, string>
  /**
   * Says with which status it was answered. One that is `expected` (the 404 of a thing that may be absent) is recorded, but
   * no error of the span.
   */
  readonly answered: (status: number, expected?: boolean) => void
}

/** Makes an attempt in a span of its own. Where propagation is disabled there is no span and there are no headers. */
export const attempt = <A, E, R>(
  method: string,
  send: (attempt: Attempt) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber): Effect.Effect<A, E, R> => {
    if (fiber.getRef(Tracer.DisablePropagation)) return send(untraced)
    const state: State = {
      method,
      url: undefined,
      status: undefined,
      expected: false,
      resends: fiber.getRef(ResendCount)
    }
    const handle = (span: Tracer.AnySpan | undefined): Attempt => ({
      sentTo: (url) => {
        state.url = url
        return headersTo(fiber, url, span)
      },
      answered: (status, expected) => {
        state.status = status
        // A hook may hand it on as a callback, with whatever comes second there.
        state.expected = expected === true
      }
    })
    if (!Propagators.isTracing(fiber)) return send(handle(Propagators.sentSpan(fiber)))
    let span: Tracer.Span | undefined
    const started = Effect.flatMap(
      Effect.makeSpan(HttpAttributes.methodInName(method), { kind: "client" }),
      (made): Effect.Effect<A, E, R> => {
        span = made
        return Effect.withParentSpan(send(handle(made)), made, { captureStackTrace: false }) as Effect.Effect<A, E, R>
      }
    )
    return Effect.onExitPrimitive(started, (exit) => {
      if (span !== undefined) end(fiber, span, state, exit)
      return undefined
    })
  })

/**
 * Runs what sends the request so that instrumentations of OpenTelemetry (of `http`, of `undici`) stay silent about it: the
 * attempt has its span and its headers already.
 */
export const quietly = <A>(send: () => A): A =>
  Otel.context.with(Otel.context.active().setValue(suppressTracingKey, true), send)

/** The key of `suppressTracing` in `@opentelemetry/core`; a key is a global symbol by its name. */
const suppressTracingKey = Otel.createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING")

const untraced: Attempt = { sentTo: () => ({}), answered: () => {} }

interface State {
  readonly method: string
  readonly resends: number
  url: URL | undefined
  status: number | undefined
  expected: boolean
}

const headersTo = (
  fiber: Fiber.Fiber<unknown, unknown>,
  url: URL,
  span: Tracer.AnySpan | undefined
): Record<string, string> => {
  const ids = Correlation.ofFiber(fiber)
  const { host, port } = HttpAttributes.authorityOf(url)
  const trusted = fiber.getRef(Trust.CurrentTrust).hosts(host, port)
  const baggage = trusted ? Correlation.outgoingBaggage(fiber, ids, false) : undefined
  return {
    ...Propagators.injectWith(fiber.getRef(Propagators.CurrentPropagators), { span, baggage }),
    ...Correlation.idHeaders(ids)
  }
}

const end = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span,
  state: State,
  exit: Exit.Exit<unknown, unknown>
): void => {
  const time = HttpAttributes.now(fiber)
  const { status } = state
  const failed = status !== undefined && status >= 400
  if (isRecording(span)) {
    if (failed) span.attribute("error.type", String(status))
    HttpAttributes.describe(span, attributesOf(fiber, state))
  }
  if (failed && state.expected) span.end(time, Exit.void)
  else if (failed) HttpAttributes.endWithStatus(span, time, status)
  else if (Exit.isFailure(exit)) HttpAttributes.endWithFailure(span, time, exit.cause, [])
  else span.end(time, Exit.void)
}

const attributesOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { method, resends, status, url }: State
): ((scrub: HttpAttributes.Scrub) => Readonly<Record<string, unknown>>) => {
  const stability = fiber.getRef(SemconvStability.CurrentSemconvStability)
  const secret = HttpAttributes.secretParameters(fiber)
  return (scrub) => {
    const attributes = new HttpAttributes.Attributes(stability)
    attributes.putMethod(method)
    if (url !== undefined) {
      const authority = HttpAttributes.authorityOf(url)
      attributes.put("url.full", HttpAttributes.redactUrl(url.href, secret, scrub), "http.url")
      attributes.put("server.address", authority.host, "net.peer.name")
      attributes.put("server.port", authority.port, "net.peer.port")
    }
    if (resends > 0) attributes.put("http.request.resend_count", resends, "http.resend_count")
    attributes.put("http.response.status_code", status, "http.status_code")
    return attributes.record
  }
}
