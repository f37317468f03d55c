/**
 * HTTP out: one client span an attempt, and the trace sent on in the configured formats.
 *
 * `layer` stands in front of any of Effect's clients (`FetchHttpClient`, `NodeHttpClient`): Effect's own client span, and
 * its `b3` and `traceparent` headers, are off there. What goes out: the fields of `propagation/Propagators`,
 * `X-Correlation-ID` and `X-Request-ID` to every host, and baggage to hosts that are named as trusted
 * (`propagation/Trust`). They take the place of what a request already has under those names.
 *
 * **Details**
 *
 * The span is named `{METHOD}`, or `{METHOD} {url.template}` inside of `withUrlTemplate`. It ends when the response's
 * headers are there. A 4xx or 5xx makes it an error without making the request fail. A repetition carries
 * `http.request.resend_count`: told by an operation that retries, or by Effect's own `HttpClient.retry`.
 *
 * **Gotchas**
 *
 * With tracing off nothing is recorded, but the caller's trace, the baggage and the ids are sent on. Where
 * `Tracer.DisablePropagation` or `HttpClient.TracerDisabledWhen` says so, a request goes out as it is. `fetch` follows
 * redirects by itself and takes the headers along, baggage too: where a trusted host may send on to one that is not, give
 * it `redirect: "manual"` and let `HttpClient.followRedirects` make a request, and a span, of each step.
 *
 * **Example** (A traced client)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { FetchHttpClient, HttpClient as Client } from "effect/http"
 * import * as HttpClient from "effect-telemetry/http/HttpClient"
 * import * as Correlation from "effect-telemetry/propagation/Correlation"
 *
 * // In place of a server: it answers with the names of the headers that it is sent.
 * const fetch = async (_: unknown, init?: RequestInit) => new Response(Object.keys(init?.headers ?? {}).join())
 *
 * const live = HttpClient.layer.pipe(Layer.provide(FetchHttpClient.layer))
 *
 * const program = Client.get("https://users.internal/users/7").pipe(
 *   Effect.flatMap((response) => response.text),
 *   HttpClient.withUrlTemplate("/users/{id}"),
 *   Correlation.provide({ correlationId: "c-1", requestId: "r-1" }),
 *   Effect.provide(live),
 *   Effect.provideService(FetchHttpClient.Fetch, fetch)
 * )
 *
 * console.log(await Effect.runPromise(program)) // x-correlation-id,x-request-id
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constFalse } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as Client from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Url from "effect/http/Url"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import { ResendCount } from "../operation/ResendCount.ts"
import * as Carrier from "../propagation/Carrier.ts"
import * as Correlation from "../propagation/Correlation.ts"
import * as Propagators from "../propagation/Propagators.ts"
import * as Trust from "../propagation/Trust.ts"
import * as ClientSpan from "./ClientSpan.ts"
import * as HttpAttributes from "./HttpAttributes.ts"

/** The pattern of the URL of the requests at hand: `/users/{id}`. Low in cardinality, it goes into the span's name. */
export const UrlTemplate: Context.Reference<string | undefined> = Context.Reference<string | undefined>(
  "effect-telemetry/http/HttpClient/UrlTemplate",
  { defaultValue: () => undefined }
)

/** Says what the URL of the requests inside is a case of. */
export const withUrlTemplate =
  (template: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(self, UrlTemplate, template)

const tracedClients = new WeakSet<object>()

/**
 * Traces a client. Every attempt is a span of its own, so it belongs inside of what retries. A client that `trace` returned
 * is returned as it is.
 */
export const trace = <E, R>(client: Client.HttpClient.With<E, R>): Client.HttpClient.With<E, R> => {
  if (tracedClients.has(client)) return client
  const traced = Client.makeWith((request: Effect.Effect<HttpClientRequest.HttpClientRequest, E, R>) => {
    // What retries runs the effect that is made here again.
    const history = new History()
    return Effect.flatMap(request, (request) => attempt(client, request, history))
  }, client.preprocess)
  tracedClients.add(traced)
  return traced
}

/** Stands in front of the client below: what is sent through it is traced. */
export const layer: Layer.Layer<Client.HttpClient, never, Client.HttpClient> = Layer.effect(
  Client.HttpClient,
  Effect.map(Client.HttpClient, trace)
)

type Response<E, R> = Effect.Effect<HttpClientResponse.HttpClientResponse, E, R>

const attempt = <E, R>(
  client: Client.HttpClient.With<E, R>,
  request: HttpClientRequest.HttpClientRequest,
  history: History
): Response<E, R> =>
  Effect.withFiber((fiber): Response<E, R> => {
    if (fiber.getRef(Tracer.DisablePropagation) || disabledWhen(fiber)(request)) {
      return client.postprocess(Effect.succeed(request))
    }
    const url = Result.getOrUndefined(Url.make(request.url, request.urlParams, Option.getOrUndefined(request.hash)))
    if (!Propagators.isTracing(fiber)) {
      return send(client, request, headersFor(fiber, request, url, Propagators.sentSpan(fiber)))
    }
    const template = fiber.getRef(UrlTemplate)
    const method = HttpAttributes.methodInName(request.method)
    const name = template === undefined ? method : `${method} ${template}`
    const resends = resendCount(fiber, request, history)
    let span: Tracer.Span | undefined
    const started = Effect.flatMap(Effect.makeSpan(name, { kind: "client" }), (made) => {
      span = made
      const sent = send(client, request, headersFor(fiber, request, url, made))
      return Effect.withParentSpan(sent, made, { captureStackTrace: false })
    }) as Response<E, R>
    return Effect.onExitPrimitive(started, (exit) => {
      history.ended(fiber, Exit.isFailure(exit) || isTransient(exit.value.status))
      if (span !== undefined) ClientSpan.end(fiber, span, { request, url, template, resends }, exit)
      return undefined
    })
  })

/** Switches off the client span of Effect itself, inside of ours. */
const stockOff = (): boolean => true

/** What the application said of spans before `stockOff` took the place: a client may send requests of its own inside. */
const DisabledWhen = Context.Reference<Predicate.Predicate<HttpClientRequest.HttpClientRequest>>(
  "effect-telemetry/http/HttpClient/DisabledWhen",
  { defaultValue: () => constFalse }
)

const disabledWhen = (
  fiber: Fiber.Fiber<unknown, unknown>
): Predicate.Predicate<HttpClientRequest.HttpClientRequest> => {
  const predicate = fiber.getRef(Client.TracerDisabledWhen)
  return predicate === stockOff ? fiber.getRef(DisabledWhen) : predicate
}

// -----------------------------------------------------------------------------
// Headers
// -----------------------------------------------------------------------------

const headersFor = (
  fiber: Fiber.Fiber<unknown, unknown>,
  request: HttpClientRequest.HttpClientRequest,
  url: URL | undefined,
  span: Tracer.AnySpan | undefined
): Headers.Headers => {
  const propagators = fiber.getRef(Propagators.CurrentPropagators)
  const ids = Correlation.ofFiber(fiber)
  const fields = {
    ...Propagators.injectWith(propagators, {
      span,
      baggage: url !== undefined && isTrusted(fiber, url) ? Correlation.outgoingBaggage(fiber, ids, false) : undefined
    }),
    ...Correlation.idHeaders(ids)
  }
  return Headers.fromInput(Carrier.replace(request.headers, Propagators.fieldsOf(propagators), fields))
}

const isTrusted = (fiber: Fiber.Fiber<unknown, unknown>, url: URL): boolean => {
  const { host, port } = HttpAttributes.authorityOf(url)
  return fiber.getRef(Trust.CurrentTrust).hosts(host, port)
}

/** Requests that are being sent with other headers than they were made with. */
const lent = new WeakSet<HttpClientRequest.HttpClientRequest>()

/**
 * Sends a request with other headers.
 *
 * `HttpClient.withScope` knows a request by its identity, so a copy would never be aborted when its scope closes. So the
 * request itself gets the headers for as long as it is on its way; a request that is sent twice at once is copied.
 */
const send = <E, R>(
  client: Client.HttpClient.With<E, R>,
  request: HttpClientRequest.HttpClientRequest,
  headers: Headers.Headers
): Response<E, R> =>
  Effect.withFiber((fiber) => {
    const disabled = disabledWhen(fiber)
    const off = (self: Response<E, R>): Response<E, R> =>
      Effect.updateContext(self, (context: Context.Context<R>) =>
        Context.add(Context.add(context, Client.TracerDisabledWhen, stockOff), DisabledWhen, disabled)
      )
    if (lent.has(request) || Object.isFrozen(request)) {
      const { body, hash, method, url, urlParams } = request
      return off(
        client.postprocess(Effect.succeed(HttpClientRequest.makeWith(method, url, urlParams, hash, headers, body)))
      )
    }
    const mutable = request as { headers: Headers.Headers }
    const original = request.headers
    const lend = Effect.suspend(() => {
      lent.add(request)
      mutable.headers = headers
      return off(client.postprocess(Effect.succeed(request)))
    })
    return Effect.onExitPrimitive(lend, () => {
      mutable.headers = original
      lent.delete(request)
      return undefined
    })
  })

// -----------------------------------------------------------------------------
// Repetitions
// -----------------------------------------------------------------------------

/** Whether a status says that the same request may be answered otherwise later. */
const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500

/** The attempts that failed one after the other in one fiber: whoever runs the same request again after those resends it. */
class History {
  #fiber = -1
  #failures = 0

  failures(fiber: Fiber.Fiber<unknown, unknown>): number {
    return this.#fiber === fiber.id ? this.#failures : 0
  }

  ended(fiber: Fiber.Fiber<unknown, unknown>, failed: boolean): void {
    this.#failures = failed ? this.failures(fiber) + 1 : 0
    this.#fiber = fiber.id
  }
}

/**
 * How often the request was sent before. An operation says so. Otherwise it is what failed in this fiber, or, where each
 * attempt has a fiber of its own, what the schedule of `Effect.retry` goes on from: if that is a failure of a request to
 * another place, or no failure, nothing is resent.
 */
const resendCount = (
  fiber: Fiber.Fiber<unknown, unknown>,
  request: HttpClientRequest.HttpClientRequest,
  history: History
): number => {
  const told = fiber.getRef(ResendCount)
  if (told > 0) return told
  const failures = history.failures(fiber)
  const { attempt, input } = fiber.getRef(Schedule.CurrentMetadata)
  if (attempt <= failures || !HttpClientError.isHttpClientError(input)) return failures
  return input.request.method === request.method && input.request.url === request.url ? attempt : failures
}
