/**
 * The database on a PostgreSQL server, through `@effect/sql-pg`, with every statement traced.
 *
 * Provides `SqlClient` and `PgClient`. Connections are opened when they are needed, at most 10 of them; the layer builds even
 * while the server is away. A statement that is interrupted is cancelled on the server, except with `multiplex`, where
 * statements share a connection and an interrupted one is left to end by itself.
 *
 * Needs the package `@effect/sql-pg`.
 *
 * **Example** (From the environment)
 *
 * ```ts
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as SqlClient from "effect/sql/SqlClient"
 * import * as DatabaseLive from "effect-telemetry/services/Database/DatabaseLive"
 *
 * const program = Effect.gen(function* () {
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql`SELECT version()`
 * }).pipe(Effect.catchTag("SqlError", (error) => Effect.logWarning(error.message)))
 *
 * const environment = ConfigProvider.fromUnknown({ DATABASE_URL: "postgresql://app@127.0.0.1:1/app" })
 * await Effect.runPromise(
 *   program.pipe(
 *     Effect.provide(DatabaseLive.layerConfig()),
 *     Effect.provideService(ConfigProvider.ConfigProvider, environment)
 *   )
 * )
 * ```
 */
import type * as Pg from "@effect/sql-pg/PgClient"
import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { integer, notSet, secret, sentence, text } from "../environment.ts"
import { optionalPeer } from "../optionalPeer.ts"
import type { TracedOptions } from "./TracedClient.ts"
import { tracedPgClient } from "./PgTraced.ts"

const PgClient = await optionalPeer("DatabaseLive", "@effect/sql-pg", () => import("@effect/sql-pg/PgClient"))

/** Where the server is, and how the client behaves: everything that `PgClient` takes. Single settings win over the URL's. */
export interface DatabaseOptions extends Omit<Pg.PgPoolConfig, "url" | "spanAttributes"> {
  /** `postgresql://[user[:password]@]host[:port]/database[?sslmode=…]`. */
  readonly url?: string | Redacted.Redacted | undefined
}

/** A setting of the database that is missing or not accepted. Never shows a password, nor the URL that may hold one. */
export class DatabaseConfigError extends Data.TaggedError("DatabaseConfigError")<{
  /** The variable or option. */
  readonly setting: string
  readonly message: string
}> {}

/**
 * The database of these options. Fails where one is not accepted. Builds even where the server is away: statements fail then, and
 * connections are made anew once it is back.
 */
export const layer = (options: DatabaseOptions): Layer.Layer<Pg.PgClient | SqlClient, DatabaseConfigError | SqlError> =>
  PgClient.layerFrom(Effect.flatMap(readUrl("url", options.url), (url) => connect(url, options)))

/**
 * The database that the environment names: `DATABASE_URL`, and for what it does not say, or in its place, `PGHOST`, `PGPORT`,
 * `PGDATABASE`, `PGUSER`, `PGPASSWORD`, `PGSSLMODE`, `PGAPPNAME` and `PGCONNECT_TIMEOUT` (seconds). Options win. An empty
 * variable counts as one that is not set. Fails with a `DatabaseConfigError` where no database is named, or a value is not accepted.
 *
 * @see https://www.postgresql.org/docs/current/libpq-envars.html
 */
export const layerConfig = (
  options: DatabaseOptions = {}
): Layer.Layer<Pg.PgClient | SqlClient, DatabaseConfigError | Config.ConfigError | SqlError> =>
  PgClient.layerFrom(
    Effect.gen(function* () {
      const environment = yield* readEnvironment
      const isNamed = Object.values(options).some((value) => value !== undefined)
      if (
        !isNamed &&
        environment.url === undefined &&
        environment.host === undefined &&
        environment.database === undefined
      ) {
        return yield* new DatabaseConfigError({
          setting: "DATABASE_URL",
          message: sentence("DATABASE_URL", notSet(`${acceptedUrl}, or PGHOST and PGDATABASE`))
        })
      }
      const [setting, url] = options.url === undefined ? ["DATABASE_URL", environment.url] : ["url", options.url]
      const parsed = yield* readUrl(setting, url)
      const sslMode = yield* checkedSslMode("PGSSLMODE", environment.sslMode)
      return yield* connect(parsed, {
        ...without(environment, parsed),
        ...(parsed.sslMode === undefined && sslMode !== undefined ? sslOf(sslMode) : undefined),
        ...options
      })
    })
  )

const acceptedUrl = "postgresql://[user[:password]@]host[:port]/database"

/** What a URL says, apart from the password. */
interface ParsedUrl {
  readonly url?: Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly hasPassword?: boolean | undefined
  readonly sslMode?: string | undefined
  readonly applicationName?: string | undefined
  readonly connectTimeout?: string | undefined
}

const readUrl = (
  setting: string,
  input: string | Redacted.Redacted | undefined
): Effect.Effect<ParsedUrl, DatabaseConfigError> => {
  if (input === undefined) return Effect.succeed({})
  const raw = typeof input === "string" ? input : Redacted.value(input)
  // Nothing of the URL is shown: a mistyped one may have its password anywhere.
  const refuse = (what: string) =>
    Effect.fail(new DatabaseConfigError({ setting, message: `${setting}: ${what}; expected ${acceptedUrl}` }))
  const url = URL.parse(raw)
  if (url === null) return refuse("not a URL")
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") return refuse("not a URL of PostgreSQL")
  const query = (name: string) => url.searchParams.get(name) ?? undefined
  try {
    const port = query("port") ?? (url.port === "" ? undefined : url.port)
    if (port !== undefined && !isPort(port)) return refuse("its port is not one")
    const parsed: ParsedUrl = {
      url: typeof input === "string" ? Redacted.make(raw) : input,
      host: query("host") ?? part(url.hostname.replace(/^\[(.*)\]$/, "$1")),
      port: port === undefined ? undefined : Number(port),
      database: query("dbname") ?? part(url.pathname.slice(1)),
      username: query("user") ?? part(url.username),
      hasPassword: url.password !== "" || query("password") !== undefined,
      sslMode: query("sslmode"),
      applicationName: query("application_name"),
      connectTimeout: query("connect_timeout")
    }
    decodeURIComponent(url.password)
    return Effect.as(checkedSslMode(setting, parsed.sslMode), parsed)
  } catch {
    return refuse("not percent-encoded as it should be")
  }
}

const part = (encoded: string): string | undefined => (encoded === "" ? undefined : decodeURIComponent(encoded))

const isPort = (value: string): boolean => /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535

const sslModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

const checkedSslMode = (
  setting: string,
  mode: string | undefined
): Effect.Effect<string | undefined, DatabaseConfigError> =>
  mode === undefined || sslModes.includes(mode)
    ? Effect.succeed(mode)
    : Effect.fail(
        new DatabaseConfigError({
          setting,
          message: `${setting}: the sslmode "${mode}" is not known; expected one of ${sslModes.join(", ")}`
        })
      )

/** A mode as the client takes it: what may fall back to plain text it knows from a URL only. */
const sslOf = (mode: string): DatabaseOptions => {
  switch (mode) {
    case "disable":
      return { ssl: false }
    case "prefer":
    case "allow":
      return { url: `postgresql:///?sslmode=${mode}` }
    default:
      return { ssl: true }
  }
}

const readInteger = (setting: string, least: number, most: number, what: string) =>
  Effect.flatMap(text(setting), (value): Effect.Effect<number | undefined, DatabaseConfigError> => {
    const read = value === undefined ? undefined : integer(value, least, most, what)
    return typeof read === "string"
      ? Effect.fail(new DatabaseConfigError({ setting, message: sentence(setting, read) }))
      : Effect.succeed(read)
  })

const readEnvironment = Effect.gen(function* () {
  // Beyond that a timer of Node fires at once.
  const longest = 2_147_483
  const seconds = yield* readInteger(
    "PGCONNECT_TIMEOUT",
    -longest,
    longest,
    `seconds, at most ${longest}; 0 for no limit`
  )
  return {
    url: yield* secret("DATABASE_URL"),
    host: yield* text("PGHOST"),
    port: yield* readInteger("PGPORT", 1, 65_535, "a port, from 1 to 65535"),
    database: yield* text("PGDATABASE"),
    username: yield* text("PGUSER"),
    password: yield* secret("PGPASSWORD"),
    applicationName: yield* text("PGAPPNAME"),
    connectTimeout: seconds === undefined ? undefined : seconds > 0 ? Duration.seconds(seconds) : Duration.infinity,
    sslMode: yield* text("PGSSLMODE")
  }
})

type Environment = Effect.Success<typeof readEnvironment>

/** What the environment adds to a URL: what that does not say itself. */
const without = (environment: Environment, url: ParsedUrl): DatabaseOptions => ({
  host: url.host === undefined ? environment.host : undefined,
  port: url.host === undefined && url.port === undefined ? environment.port : undefined,
  database: url.database === undefined ? environment.database : undefined,
  username: url.username === undefined ? environment.username : undefined,
  password: url.hasPassword === true ? undefined : environment.password,
  applicationName: url.applicationName === undefined ? environment.applicationName : undefined,
  connectTimeout: url.connectTimeout === undefined ? environment.connectTimeout : undefined
})

const connect = (parsed: ParsedUrl, options: DatabaseOptions) => {
  const { url: fallback, ...settings } = options
  const url = parsed.url ?? (typeof fallback === "string" ? Redacted.make(fallback) : fallback)
  return Effect.map(PgClient.make({ ...settings, url }), (client) => tracedPgClient(client, targetOf(parsed, options)))
}

/** Where statements go, as spans say it. */
const targetOf = (parsed: ParsedUrl, options: DatabaseOptions): TracedOptions => {
  const username = options.username ?? parsed.username
  const database = options.database ?? parsed.database ?? username
  const host = options.path ?? options.host ?? parsed.host ?? "localhost"
  const isSocket = host.startsWith("/")
  return {
    system: "postgresql",
    namespace: database,
    serverAddress: host,
    serverPort: isSocket ? undefined : (options.port ?? parsed.port ?? 5432)
  }
}
