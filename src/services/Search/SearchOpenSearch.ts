/**
 * The search on OpenSearch (2 and later), by its official client, `@opensearch-project/opensearch`.
 *
 * The client brings connections, nodes of a cluster, TLS and signing in. Its retries and its sniffing are off: an operation's
 * span has a span for each request that was sent, which carries the trace on. Interruption and deadlines reach the request, and
 * give its socket up. The client connects when it is used: an application starts without OpenSearch.
 *
 * Needs the package `@opensearch-project/opensearch`.
 *
 * **Example** (Falling back while OpenSearch is away)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Search } from "effect-telemetry/Search"
 * import * as SearchOpenSearch from "effect-telemetry/SearchOpenSearch"
 *
 * const count = Effect.flatMap(Search, (search) => search.search({ index: "posts", size: 0 })).pipe(
 *   Effect.map((found) => found.total),
 *   Effect.catchReason("SearchError", "Unavailable", () => Effect.succeed(0))
 * )
 * const live = SearchOpenSearch.layer({ url: "http://127.0.0.1:1", retry: { attempts: 1 } })
 * Effect.runPromise(count.pipe(Effect.provide(live))).then(console.log) // 0
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/database/elasticsearch/
 */
import type { ClientOptions } from "@opensearch-project/opensearch"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ClientRequest, IncomingMessage } from "node:http"
import type { Reason } from "../../operation/Reason.ts"
import { optionalPeer } from "../optionalPeer.ts"
import { environment, type NodeOptions, nodesOf, SearchConfigError } from "./internal/node.ts"
import { fromClient } from "./internal/reasons.ts"
import { type Dialect, path } from "./internal/requests.ts"
import * as rest from "./internal/rest.ts"
import * as wire from "./internal/wire.ts"
import { make, Search, type SearchOptions } from "./Search.ts"

const { Client, Connection } = await optionalPeer(
  "SearchOpenSearch",
  "@opensearch-project/opensearch",
  () => import("@opensearch-project/opensearch")
)

export { SearchConfigError } from "./internal/node.ts"

/** Where OpenSearch is, how one signs in there, and how its operations are wanted. */
export interface SearchOpenSearchOptions extends NodeOptions, SearchOptions {}

/** The search on the OpenSearch at a URL. Fails where a setting is not accepted; not where OpenSearch is away. */
export const layer = (options: SearchOpenSearchOptions): Layer.Layer<Search, SearchConfigError> =>
  Layer.effect(
    Search,
    Effect.flatMap(connect(options), (send) => make("opensearch", rest.calls(send, dialect, options), options))
  )

/**
 * The search on the OpenSearch that `OPENSEARCH_URL` names. Signs in with the URL's credentials, or with
 * `OPENSEARCH_USERNAME` and `OPENSEARCH_PASSWORD`. Fails as `layer` does.
 */
export const layerConfig = (
  options: Omit<SearchOpenSearchOptions, "url" | "username" | "password"> = {}
): Layer.Layer<Search, Config.ConfigError | SearchConfigError> =>
  Layer.unwrap(
    Effect.map(environment("OPENSEARCH"), ({ password, url, username }) =>
      layer({ ...options, url, username, password })
    )
  )

const dialect: Dialect = {
  openPointInTime: (index, keepAlive) => ({
    method: "POST",
    path: path(index, "_search", "point_in_time"),
    query: { keep_alive: keepAlive }
  }),
  closePointInTime: (id) => ({
    method: "DELETE",
    path: "/_search/point_in_time",
    body: { pit_id: [id] },
    mayBeMissing: true
  }),
  tiebreaker: "_id"
}

/** The request that parameters belong to: the one thing that the client hands down to its connection. */
const wires = new WeakMap<object, wire.Wire>()

type Callback = (error: Error | null, response: IncomingMessage | null) => void

/** The client's own connection, which tells the operation what passes over it. */
class TracedConnection extends Connection {
  override request(params: any, callback: Callback): ClientRequest {
    const passing = wires.get(params)
    if (passing === undefined) return super.request(params, callback)
    const headers = passing.headersTo(this.url, params.path, params.querystring)
    const request = super.request({ ...params, headers: { ...params.headers, ...headers } }, (error, response) => {
      if (response?.statusCode !== undefined) passing.answered(response.statusCode)
      callback(error, response)
    })
    // Before the client's own listener, which keeps the message alone. A request that the client refused is none.
    if ("prependListener" in request) {
      request.prependListener("error", (error) => {
        passing.error = error
      })
    }
    return request
  }

  /** What is still on its way when the client closes has nobody who waits for it. */
  override close(callback: () => void = () => {}): this {
    this.agent?.destroy()
    callback()
    return this
  }
}

const connect = Effect.fnUntraced(function* (options: SearchOpenSearchOptions) {
  const { basic, urls } = yield* nodesOf("OPENSEARCH", options)
  const settings: ClientOptions = {
    nodes: urls.map((url) => ({ url })),
    Connection: TracedConnection as never,
    maxRetries: 0,
    // The operation's own deadline aborts a request.
    requestTimeout: 0,
    // A node that failed is used again after a while, without a request that no operation made.
    resurrectStrategy: "optimistic",
    sniffOnStart: false,
    sniffOnConnectionFault: false,
    sniffInterval: false,
    ...(basic === undefined ? undefined : { auth: basic }),
    ...(options.tls === undefined ? undefined : { ssl: options.tls })
  }
  const client = yield* Effect.acquireRelease(
    Effect.try({
      try: () => new Client(settings),
      catch: (error) =>
        new SearchConfigError({
          setting: "OPENSEARCH_URL",
          problem: error instanceof Error ? error.message : "the client does not accept the settings"
        })
    }),
    (client) => Effect.ignore(Effect.tryPromise(() => client.close()))
  )
  const where = urls.map((url) => url.origin).join(", ")
  const reasonOf = (error: unknown, passed: wire.Wire): Reason => fromClient(error, passed, "OpenSearch", where)
  const send: rest.Send = (request) =>
    wire.send(
      request,
      (passing, signal) => {
        const params = {
          method: request.method,
          path: request.path,
          ...(request.query === undefined ? undefined : { querystring: request.query }),
          ...(request.body === undefined ? undefined : { body: request.body }),
          ...(request.lines === undefined ? undefined : { bulkBody: request.lines as Array<Record<string, any>> })
        }
        wires.set(params, passing)
        const sent = client.transport.request(params, {
          maxRetries: 0,
          ...(request.mayBeMissing === true ? { ignore: [404] } : undefined)
        })
        // A listener that returns a promise has its rejection thrown by Node.
        const abort = (): void => {
          sent.abort()
        }
        signal.addEventListener("abort", abort, { once: true })
        return sent.then(({ body, headers, statusCode }) => ({
          status: statusCode ?? 0,
          body: body as unknown,
          headers: (headers ?? {}) as Record<string, unknown>
        }))
      },
      reasonOf
    )
  return send
})
