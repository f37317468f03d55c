/** The request of `cpu-tracer.ts` in Effect: under our tracer, under Effect's own, and with tracing off. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { protobuf } from "../../src/export/OtlpProtobuf.ts"
import * as Disabled from "../../src/tracer/Disabled.ts"
import * as Sampler from "../../src/tracer/Sampler.ts"
import type { EndedSpan } from "../../src/tracer/SpanReceiver.ts"
import * as OurTracer from "../../src/tracer/Tracer.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"

const noStack = { captureStackTrace: false }

const operations = ["db.select", "db.insert", "cache.get", "gorse.get_recommend", "es.search"]

type Wrap = typeof Effect.withSpan

/** What a client of a service stands for: an answer at once, or one that comes later. */
export const later = process.env["BENCH_WORK"] === "promise"
export const answer = async (request: number): Promise<number> => request & 63
const work = (request: number): Effect.Effect<number> =>
  later ? Effect.promise(() => answer(request)) : Effect.sync(() => request & 63)

export const makeRequest = (wrap: Wrap) => {
  const call = (name: string, request: number) =>
    wrap(
      name,
      {
        kind: "client",
        attributes: {
          "external.service": "postgresql",
          "external.operation": name,
          "db.collection.name": "posts",
          "db.response.returned_rows": request & 63
        }
      },
      noStack
    )(work(request))
  return (request: number) =>
    wrap(
      "GET /api/v1/feed",
      {
        kind: "server",
        attributes: {
          "http.request.method": "GET",
          "http.route": "/api/v1/feed",
          "url.path": "/api/v1/feed",
          "http.response.status_code": 200
        }
      },
      noStack
    )(
      Effect.gen(function* () {
        let sum = 0
        for (let i = 0; i < operations.length; i++) sum += yield* call(operations[i]!, request)
        return sum
      })
    )
}

const bareRequest = (request: number) =>
  Effect.gen(function* () {
    let sum = 0
    for (let i = 0; i < operations.length; i++) sum += yield* work(request)
    return sum
  })

const serve = (request: (n: number) => Effect.Effect<number>, layer: Layer.Layer<never>) => {
  // Never closed, as the layer of a server that runs.
  const context = Effect.runSync(Layer.buildWithScope(layer, Scope.makeUnsafe()))
  return (requests: number) =>
    Effect.gen(function* () {
      for (let i = 0; i < requests; i++) yield* request(i)
    }).pipe(Effect.provideContext(context), Effect.runPromise)
}

const batch = 512

/** What a pipeline does to a span up to its bytes. */
const encoder = (tail: boolean) => {
  const writer = protobuf.writer()
  let count = 0
  return {
    takesUnsampled: tail,
    ended: (span: EndedSpan) => {
      if (!span.sampled) return
      writer.write(span.seal())
      if (++count === batch) {
        writer.take()
        count = 0
      }
    }
  }
}

export const ours = (options: {
  readonly interoperation: boolean
  readonly combinator: "ours" | "effect"
  readonly ratio?: number
  readonly tail?: boolean
}) => {
  const request = makeRequest(options.combinator === "ours" ? (withSpan as Wrap) : Effect.withSpan)
  const layer = OurTracer.layer({
    receiver: encoder(options.tail === true),
    interoperation: options.interoperation,
    sampler: Sampler.parentBased(Sampler.traceIdRatio(options.ratio ?? 1))
  })
  return Promise.resolve(serve(request, layer))
}

export const disabled = (combinator: "ours" | "none") =>
  Promise.resolve(serve(combinator === "ours" ? makeRequest(withSpan as Wrap) : bareRequest, Disabled.layer))

export const native = () =>
  Promise.resolve(serve(makeRequest(Effect.withSpan), Layer.succeed(Tracer.Tracer, Tracer.nativeTracer)))
