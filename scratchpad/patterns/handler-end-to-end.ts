/**
 * A handler from end to end: a caller with a trace of its own, the request that carries it over the wire, the server's span,
 * and what the handler does, all in one trace.
 *
 *   npm run pattern -- handler-end-to-end
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { SqlClient } from "effect/sql"
import * as DatabaseEmbedded from "effect-telemetry/DatabaseEmbedded"
import * as TracedHttpClient from "effect-telemetry/http/HttpClient"
import * as TracedHttpServer from "effect-telemetry/http/HttpServer"
import * as Correlation from "effect-telemetry/propagation/Correlation"
import { render, terminalOptions } from "effect-telemetry/export/TraceTree"
import * as Telemetry from "effect-telemetry/Telemetry"
import type { SpanData } from "effect-telemetry/tracer/SpanData"

const getUser = Effect.gen(function* () {
  const { id } = yield* HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.NonEmptyString }))
  yield* Correlation.setUser({ userId: id })
  const sql = yield* SqlClient.SqlClient
  const [user] = yield* sql`SELECT ${id}::text AS id, 'Mara Lindqvist' AS name`
  return yield* HttpServerResponse.json(user)
})

const served = HttpRouter.serve(HttpRouter.add("GET", "/users/:id", getUser), {
  disableListenLog: true,
  disableLogger: true
}).pipe(Layer.provide(TracedHttpServer.layer))

const program = HttpClient.get("/users/u_mara").pipe(
  TracedHttpClient.withUrlTemplate("/users/{id}"),
  Effect.withSpan("profile.open"),
  Correlation.provide({ correlationId: "session-9" })
)

// Caller and server are in one process here, so their spans can be drawn as one tree.
const spans: Array<SpanData> = []
const telemetry = Telemetry.layer({
  enabled: true,
  serviceName: "patterns",
  exporter: "none",
  receivers: [{ takesUnsampled: false, ended: (span) => void spans.push(span.seal()) }]
})

const live = Layer.merge(served, TracedHttpClient.layer).pipe(
  // A server on a free port, and a client that knows it.
  Layer.provideMerge(NodeHttpServer.layerTest),
  Layer.provideMerge(DatabaseEmbedded.layer()),
  Layer.provideMerge(telemetry)
)

await Effect.runPromise(Effect.provide(program, live))
process.stdout.write(render(spans, terminalOptions(process.stdout)))
