/**
 * An external call with retry: a service of one's own, of the same pieces as those of the library. Its server answers 503
 * twice; every attempt is a span of its own, and the operation says how often it tried.
 *
 *   npm run pattern -- external-call-with-retry
 */
import { Context, Effect, Layer, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import * as TracedHttpClient from "effect-telemetry/http/HttpClient"
import * as Attributes from "effect-telemetry/operation/Attributes"
import * as Operation from "effect-telemetry/operation/Operation"
import * as Reason from "effect-telemetry/operation/Reason"
import { ServiceError } from "effect-telemetry/operation/ServiceError"
import * as Telemetry from "effect-telemetry/Telemetry"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

// A server that is overloaded for a moment.
let requests = 0
const server = createServer((_, response) => {
  requests++
  if (requests <= 2) response.writeHead(503, { "retry-after": "0" }).end()
  else response.writeHead(200, { "content-type": "application/json" }).end('{"key":"F# minor","bpm":84}')
})
const url = Effect.acquireRelease(
  Effect.callback<string>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    })
  }),
  () => Effect.sync(() => server.close())
)

// What the service can do, as a table: name, meaning, idempotence, attributes.
class TempoError extends ServiceError("TempoError", "tempo") {}

const Analysis = Schema.Struct({ key: Schema.String, bpm: Schema.Int })

const table = Operation.table(
  { service: "tempo", prefix: "tempo", error: TempoError },
  {
    analyse: Operation.effect<{ readonly trackId: string }, typeof Analysis.Type>({
      name: "analyse",
      brief: "the key and the tempo of a track",
      idempotent: true,
      input: { "tempo.track_id": Attributes.string("the track", (input) => input.trackId) },
      result: { "tempo.bpm": Attributes.int("beats a minute", (result) => result.bpm) }
    })
  }
)

// What each operation does, bare: span, retry, deadline and circuit are put around it.
const reasonOf = (error: unknown): Reason.Reason =>
  HttpClientError.isHttpClientError(error) && error.response !== undefined
    ? Reason.fromStatus(error.response.status, { message: `the server answered ${error.response.status}` })
    : Reason.fromConnection(error)

class Tempo extends Context.Service<Tempo, Operation.Client<typeof table>>()("patterns/Tempo") {
  static readonly layer = Layer.effect(
    Tempo,
    Effect.gen(function* () {
      const base = yield* url
      const client = yield* HttpClient.HttpClient
      return yield* Operation.implement(table, {
        analyse: ({ trackId }) =>
          HttpClient.filterStatusOk(client)
            .get(`${base}/tracks/${trackId}`)
            .pipe(
              TracedHttpClient.withUrlTemplate("/tracks/{id}"),
              Effect.flatMap(HttpClientResponse.schemaBodyJson(Analysis)),
              Effect.mapError(reasonOf)
            )
      })
    })
  )
}

const program = Effect.flatMap(Tempo, (tempo) => tempo.analyse({ trackId: "p_01" })).pipe(
  Effect.withSpan("track.import")
)

const live = Tempo.layer.pipe(
  Layer.provide(TracedHttpClient.layer.pipe(Layer.provide(FetchHttpClient.layer))),
  Layer.provideMerge(Telemetry.layer({ enabled: true, serviceName: "patterns", exporter: "console" }))
)

Effect.runPromise(Effect.provide(program, live))
