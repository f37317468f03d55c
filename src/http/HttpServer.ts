/**
 * HTTP in: one server span a request, and everything that a request brings with it.
 *
 * `layer` stands between an application and Effect's `HttpServer` (`NodeHttpServer`, or any other): what is served through
 * it is traced, and Effect's own server spans are off. For each request it reads the configured formats
 * (`propagation/Propagators`) as far as the caller is trusted (`propagation/Trust`), begins a request with ids of its own
 * (`propagation/Correlation`), provides the caller's baggage, and echoes `X-Correlation-ID` and `X-Request-ID`.
 *
 * **Details**
 *
 * A request without a `traceparent` is the root of a trace, whatever span the server was started in. The span is named
 * `{METHOD} {http.route}`, or `{METHOD}` where no route matched. Its status is an error for 5xx only: a failure that
 * becomes a 4xx is recorded as an event. A client that goes away interrupts the request: the span's status is unset.
 *
 * **Gotchas**
 *
 * The span ends when the response has been handed over whole, a streamed body included; so a server-sent-event stream or
 * a WebSocket has a span as long as its connection. Requests for which Effect's `HttpMiddleware.TracerDisabledWhen` says
 * so have no span, and nothing below them has. A *global* middleware of the router that opens a span around all routes
 * hides the route from the server's span: serve `HttpServer.routes(layer)` then.
 *
 * **Example** (A traced server)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
 * import { createServer } from "node:http"
 * import * as HttpServer from "effect-telemetry/http/HttpServer"
 *
 * const routes = HttpRouter.add("GET", "/users/:id", Effect.succeed(HttpServerResponse.text("hello")))
 *
 * const live = HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
 *   Layer.provideMerge(HttpServer.layer.pipe(Layer.provideMerge(NodeHttpServer.layerTest)))
 * )
 *
 * const program = Effect.map(HttpClient.get("/users/7"), (response) => response.headers["x-request-id"] !== undefined)
 * console.log(await Effect.runPromise(Effect.provide(program, live))) // true
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { constTrue } from "effect/Function"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Server from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as Baggage from "../propagation/Baggage.ts"
import * as Correlation from "../propagation/Correlation.ts"
import * as Propagators from "../propagation/Propagators.ts"
import * as Trust from "../propagation/Trust.ts"
import * as Disabled from "../tracer/Disabled.ts"
import * as FiberContext from "../tracer/FiberContext.ts"
import { isRecording } from "../tracer/Recording.ts"
import * as SpanContext from "../tracer/SpanContext.ts"
import { TelemetryTracer } from "../tracer/Tracer.ts"
import * as IncomingHeaders from "./IncomingHeaders.ts"
import * as ServerSpan from "./ServerSpan.ts"

/** What is found out about a request while it is handled, for the span that ends after it. */
class Observed implements ServerSpan.Observed {
  readonly received: HttpServerRequest
  request: HttpServerRequest
  response: HttpServerResponse.HttpServerResponse | undefined = undefined
  route: string | undefined = undefined
  span: Tracer.Span | undefined = undefined

  constructor(received: HttpServerRequest) {
    this.received = received
    this.request = received
  }
}

/**
 * Traces an HTTP application: what `layer` puts around whatever is served. For where there is no `HttpServer`, as with
 * `HttpRouter.toWebHandler`; Effect's own server spans have to be switched off there with `layerStockOff`.
 */
export const middleware: <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest> = (app) => traced(app, undefined)

const traced = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  disabledWhen: Predicate.Predicate<HttpServerRequest> | undefined
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest> =>
  Effect.withFiber((fiber) => {
    const outer = fiber.context
    const request = Context.getUnsafe(outer, HttpServerRequest)
    const headers = IncomingHeaders.of(request)
    const trust = Context.get(outer, Trust.CurrentTrust)
    const trusted = trust === trustInAll || trust.callers(callerOf(request))
    const extracted = IncomingHeaders.extract(Context.get(outer, Propagators.CurrentPropagators), headers, request)
    const baggage = trusted ? extracted.baggage : Baggage.empty
    const observed = new Observed(request)
    HttpEffect.appendPreResponseHandlerUnsafe(outer, (_, response) =>
      Effect.succeed(observe(Fiber.getCurrent()!, observed, response))
    )

    let inner = Correlation.enter(outer, Correlation.acceptHeaders(headers, baggage, trusted), { fresh: true })
    if (baggage !== Context.get(outer, Baggage.CurrentBaggage)) {
      inner = provide(inner, Baggage.CurrentBaggage, baggage)
    }
    if (routesNote) inner = provide(inner, CurrentObserved, observed)
    const run = app as Effect.Effect<HttpServerResponse.HttpServerResponse, E>

    const tracing = Propagators.isTracing(fiber)
    if (!tracing || disabledWhen?.(request) === true) {
      // Nobody sees spans here; but there is one, and what this process calls continues the caller's trace.
      const silent =
        trusted && extracted.span !== undefined
          ? Disabled.span("request", extracted.span, SpanContext.emptyAnnotations)
          : ofNobody
      if (tracing) fiber.setContext(provide(provide(inner, References.TracerEnabled, false), Tracer.ParentSpan, silent))
      else FiberContext.enterSpan(fiber, inner, silent)
      return Effect.onExitPrimitive(run, () => {
        fiber.setContext(outer)
        return undefined
      })
    }

    // The holder of the request's attributes has to be in the fiber before the span starts.
    fiber.setContext(inner)
    const { tracer } = fiber.cache
    if (tracer instanceof TelemetryTracer) {
      const span = ServerSpan.start(fiber, tracer, request, extracted.span, trusted)
      observed.span = span as Tracer.Span
      const last = Effect.onExitPrimitive(run, (exit) => {
        fiber.setContext(outer)
        ServerSpan.end(fiber, span as Tracer.Span, observed, exit)
        return undefined
      })
      span.lastStep = last
      return last
    }
    const started = Effect.flatMap(ServerSpan.make(request, extracted.span, trusted), (span) => {
      observed.span = span
      fiber.setContext(provide(inner, Tracer.ParentSpan, span))
      return run
    })
    return Effect.onExitPrimitive(started, (exit) => {
      fiber.setContext(outer)
      if (observed.span !== undefined) ServerSpan.end(fiber, observed.span, observed, exit)
      return undefined
    })
  })

/** The trust where none is configured: then a caller need not be looked at. */
const trustInAll = Context.get(Context.empty(), Trust.CurrentTrust)

const callerOf = (request: HttpServerRequest): Trust.Caller => ({
  address: Option.getOrUndefined(request.remoteAddress),
  headers: request.headers
})

/** The span of all requests that have none and come from nobody's trace. */
const ofNobody = Disabled.span("request", undefined, SpanContext.emptyAnnotations)

const provide = <I, S>(
  context: Context.Context<never>,
  key: Context.Key<I, S>,
  service: NoInfer<S>
): Context.Context<never> => Context.add(context, key, service) as Context.Context<never>

/**
 * Runs just before the response is sent, in the innermost context that is left: there the router has left the route, and
 * a proxy's middleware the client's address; and there the ids have the values that the handler gave them.
 */
const observe = (
  fiber: Fiber.Fiber<unknown, unknown>,
  observed: Observed,
  response: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  const sent = withIds(response, Correlation.ofFiber(fiber))
  if (observed.span !== undefined && isRecording(observed.span)) {
    observed.route ??= Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path
    observed.request = Context.getOrUndefined(fiber.context, HttpServerRequest) ?? observed.request
    observed.response = sent
  }
  return sent
}

const withIds = (
  response: HttpServerResponse.HttpServerResponse,
  ids: Correlation.Ids
): HttpServerResponse.HttpServerResponse => {
  const { correlationId, requestId } = ids
  if (correlationId === undefined || requestId === undefined) {
    return HttpServerResponse.setHeaders(response, Correlation.idHeaders(ids))
  }
  // One copy of the headers for both: that of the first is nobody else's yet.
  const sent = HttpServerResponse.setHeader(response, Correlation.CORRELATION_HEADER, correlationId)
  ;(sent.headers as Record<string, string>)[Correlation.REQUEST_HEADER] = requestId
  return sent
}

/** Whether any router notes its routes: where none does, requests need not carry what they are noted in. */
let routesNote = false

/** Where the innermost middleware of a router notes what matched. */
const CurrentObserved: Context.Reference<Observed | undefined> = Context.Reference<Observed | undefined>(
  "effect-telemetry/http/HttpServer/CurrentObserved",
  { defaultValue: () => undefined }
)

/**
 * Notes the route where it is hidden otherwise: where a global middleware of the router opens a span of its own, or provides
 * something, around all routes. Give it the layer of the routes and serve what it returns.
 */
export const routes = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R | HttpRouter.HttpRouter> =>
  Layer.effectDiscard(
    // The middleware that is added last stands next to the routes.
    Effect.flatMap(HttpRouter.HttpRouter, (router) => {
      routesNote = true
      return router.addGlobalMiddleware(noteRoute as never)
    })
  ).pipe(Layer.provideMerge(layer)) as Layer.Layer<A, E, R | HttpRouter.HttpRouter>

const noteRoute = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    Effect.onExitPrimitive(self, () => {
      const observed = fiber.getRef(CurrentObserved)
      if (observed !== undefined) {
        observed.route = Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path
      }
      return undefined
    })
  )

/** Switches off the server spans of Effect itself, so that there is one span a request and not two. */
export const layerStockOff: Layer.Layer<never> = Layer.succeed(HttpMiddleware.TracerDisabledWhen, constTrue)

/** Stands in front of the `HttpServer` below: what is served through it is traced. */
export const layer: Layer.Layer<Server.HttpServer, never, Server.HttpServer> = Layer.effect(
  Server.HttpServer,
  Effect.map(Server.HttpServer, (server) =>
    Server.make({
      ...server,
      serve: (app, outerMiddleware) =>
        Effect.withFiber((fiber) => {
          const disabledWhen = fiber.getRef(HttpMiddleware.TracerDisabledWhen)
          const around: HttpMiddleware.HttpMiddleware = (self) =>
            traced(outerMiddleware === undefined ? self : outerMiddleware(self), disabledWhen)
          return Effect.updateContext(server.serve(app, around as never), contextOfRequests)
        })
    })
  )
)

/**
 * What every request starts from: Effect's own server spans are off, and more may be put on it before all of it is copied,
 * which would otherwise happen for each span below the request's: with the request, its scope, its ids and its route there
 * are eight things on it already where the handler begins.
 */
const contextOfRequests = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.makeUnsafe(new Map(context.mapUnsafe).set(HttpMiddleware.TracerDisabledWhen.key, constTrue), {
    maxDepth: 24
  })
