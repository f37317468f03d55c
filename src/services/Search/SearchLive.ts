/**
 * The search on Elasticsearch (9 and later), by its official client, `@elastic/elasticsearch`.
 *
 * The client brings connections, nodes of a cluster, TLS and signing in. Its retries, its sniffing and its own spans are off:
 * an operation's span has a span for each request that was sent, which carries the trace on. Interruption and deadlines reach
 * the request, and give its socket up. The client connects when it is used: an application starts without Elasticsearch.
 *
 * Needs the package `@elastic/elasticsearch`.
 *
 * **Gotchas**
 *
 * OpenSearch does not understand what this client speaks; for it there is `SearchOpenSearch`. Nor does Elasticsearch 8, which
 * answers `media_type_header_exception`: an `InvalidRequest`.
 *
 * **Example** (Falling back while Elasticsearch is away)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Search } from "effect-telemetry/Search"
 * import * as SearchLive from "effect-telemetry/SearchLive"
 *
 * const titles = Effect.flatMap(Search, (search) => search.search({ index: "posts", text: "jazz" })).pipe(
 *   Effect.map((found) => found.hits.map((hit) => String(hit.source["title"]))),
 *   Effect.catchReason("SearchError", "Unavailable", () => Effect.succeed(["from the database"]))
 * )
 * const live = SearchLive.layer({ url: "http://127.0.0.1:1", retry: { attempts: 1 } })
 * Effect.runPromise(titles.pipe(Effect.provide(live))).then(console.log) // [ 'from the database' ]
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/database/elasticsearch/
 */
import type { ClientOptions } from "@elastic/elasticsearch"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Reason } from "../../operation/Reason.ts"
import { optionalPeer } from "../optionalPeer.ts"
import { environment, type NodeOptions, nodesOf, SearchConfigError } from "./internal/node.ts"
import { fromClient } from "./internal/reasons.ts"
import { type Dialect, path } from "./internal/requests.ts"
import * as rest from "./internal/rest.ts"
import * as wire from "./internal/wire.ts"
import { make, Search, type SearchOptions } from "./Search.ts"

const { Client, UndiciConnection } = await optionalPeer(
  "SearchLive",
  "@elastic/elasticsearch",
  () => import("@elastic/elasticsearch")
)

export { SearchConfigError } from "./internal/node.ts"

/** Where Elasticsearch is, how one signs in there, and how its operations are wanted. */
export interface SearchLiveOptions extends NodeOptions, SearchOptions {
  /** Signs in with an API key, in the Base64 form, instead of a name and a password. */
  readonly apiKey?: string | Redacted.Redacted | undefined
  /** Of a cluster with a certificate of its own: the fingerprint (SHA-256, hexadecimal) of its authority. Needs https. */
  readonly caFingerprint?: string | undefined
}

/** The search on the Elasticsearch at a URL. Fails where a setting is not accepted; not where Elasticsearch is away. */
export const layer = (options: SearchLiveOptions): Layer.Layer<Search, SearchConfigError> =>
  Layer.effect(
    Search,
    Effect.flatMap(connect(options), (send) => make("elasticsearch", rest.calls(send, dialect, options), options))
  )

/**
 * The search on the Elasticsearch that `ELASTICSEARCH_URL` names. Signs in with the URL's credentials, with
 * `ELASTICSEARCH_API_KEY`, or with `ELASTICSEARCH_USERNAME` and `ELASTICSEARCH_PASSWORD`. Fails as `layer` does.
 */
export const layerConfig = (
  options: Omit<SearchLiveOptions, "url" | "username" | "password" | "apiKey"> = {}
): Layer.Layer<Search, Config.ConfigError | SearchConfigError> =>
  Layer.unwrap(Effect.map(environment("ELASTICSEARCH"), (found) => layer({ ...options, ...found })))

const dialect: Dialect = {
  openPointInTime: (index, keepAlive) => ({
    method: "POST",
    path: path(index, "_pit"),
    query: { keep_alive: keepAlive }
  }),
  closePointInTime: (id) => ({ method: "DELETE", path: "/_pit", body: { id }, mayBeMissing: true }),
  tiebreaker: "_shard_doc"
}

/** The request that a signal belongs to: the one thing that the client hands down to its connection. */
const wires = new WeakMap<AbortSignal, wire.Wire>()

/** The client's own connection, which tells the operation what passes over it. */
class TracedConnection extends UndiciConnection {
  constructor(options: ConstructorParameters<typeof UndiciConnection>[0]) {
    super(options)
    const pool = this.pool
    const request = async (params: { readonly signal: AbortSignal }) => {
      const passing = wires.get(params.signal)
      try {
        const response = await pool.request(params as never)
        passing?.answered(response.statusCode)
        return response
      } catch (error) {
        if (passing !== undefined) passing.error = error
        throw error
      }
    }
    this.pool = { request, destroy: () => pool.destroy() } as unknown as typeof pool
  }

  // One signature for the two of the class above, which differ in how a body is given.
  override request(params: any, options: any): Promise<any> {
    const headers = wires.get(options.signal)?.headersTo(this.url, params.path, params.querystring)
    return super.request({ ...params, headers: { ...params.headers, ...headers } }, options)
  }

  /** What is still on its way when the client closes has nobody who waits for it. */
  override close(): Promise<void> {
    return this.pool.destroy()
  }
}

const connect = Effect.fnUntraced(function* (options: SearchLiveOptions) {
  const { basic, urls } = yield* nodesOf("ELASTICSEARCH", options)
  const apiKey = options.apiKey === undefined ? undefined : Redacted.value(redacted(options.apiKey))
  if (apiKey !== undefined && basic !== undefined) {
    return yield* new SearchConfigError({
      setting: "ELASTICSEARCH_API_KEY",
      problem: "there are a user name and a password already; one of the two has to go"
    })
  }
  const settings: ClientOptions = {
    nodes: urls.map((url) => ({ url })),
    Connection: TracedConnection as never,
    maxRetries: 0,
    sniffOnStart: false,
    sniffOnConnectionFault: false,
    sniffInterval: false,
    ...(apiKey === undefined ? undefined : { auth: { apiKey } }),
    ...(basic === undefined ? undefined : { auth: basic }),
    ...(options.tls === undefined ? undefined : { tls: options.tls }),
    ...(options.caFingerprint === undefined ? undefined : { caFingerprint: options.caFingerprint })
  }
  const client = yield* Effect.acquireRelease(
    Effect.try({
      try: () => new Client(settings),
      catch: (error) =>
        new SearchConfigError({
          setting: "ELASTICSEARCH_URL",
          problem: error instanceof Error ? error.message : "the client does not accept the settings"
        })
    }),
    (client) => Effect.ignore(Effect.tryPromise(() => client.close()))
  )
  const where = urls.map((url) => url.origin).join(", ")
  const reasonOf = (error: unknown, passed: wire.Wire): Reason => fromClient(error, passed, "Elasticsearch", where)
  const send: rest.Send = (request) =>
    wire.send(
      request,
      async (passing, signal) => {
        wires.set(signal, passing)
        const { body, headers, statusCode } = await client.transport.request(
          {
            method: request.method,
            path: request.path,
            ...(request.query === undefined ? undefined : { querystring: request.query }),
            ...(request.body === undefined ? undefined : { body: request.body }),
            ...(request.lines === undefined ? undefined : { bulkBody: request.lines as Array<object> })
          },
          {
            signal,
            meta: true,
            maxRetries: 0,
            openTelemetry: { enabled: false },
            ...(request.mayBeMissing === true ? { ignore: [404] } : undefined)
          }
        )
        return { status: statusCode, body, headers: headers as Record<string, unknown> }
      },
      reasonOf
    )
  return send
})

const redacted = (value: string | Redacted.Redacted): Redacted.Redacted =>
  typeof value === "string" ? Redacted.make(value) : value
