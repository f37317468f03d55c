/**
 * Suites against real servers. `npm run services -- run -- npm run test:real` starts the servers and names them in the environment; a
 * suite whose server is not named is skipped and says why, except in CI, where nothing may be skipped.
 */
import { describe, it } from "@effect/vitest"

/** What the services script sets. */
export type ServerVariable =
  | "TEST_DATABASE_URL"
  | "TEST_REDIS_URL"
  | "TEST_OTLP_ENDPOINT"
  | "TEST_COLLECTOR_FILE"
  | "TEST_COLLECTOR_BINARY"
  | "TEST_ELASTICSEARCH_URL"
  | "TEST_OPENSEARCH_URL"
  | "TEST_S3_ENDPOINT"
  | "TEST_S3_ACCESS_KEY"
  | "TEST_S3_SECRET_KEY"
  | "TEST_JAEGER_QUERY_URL"
  | "TEST_JAEGER_OTLP_ENDPOINT"
  | "TEST_PROMETHEUS_URL"
  | "TEST_COMPOSE_BINARY"

const inCI = process.env["CI"] === "true" || process.env["CI"] === "1"

/**
 * A `describe` for suites that need these variables; the suite gets their values.
 *
 * ```ts
 * realServer("TEST_REDIS_URL")("Cache on Redis", ({ TEST_REDIS_URL }) => {
 *   it.effect("…", () => …)
 * })
 * ```
 */
export const realServer =
  <const V extends ServerVariable>(...variables: readonly [V, ...ReadonlyArray<V>]) =>
  (name: string, suite: (environment: { readonly [K in V]: string }) => void): void => {
    const environment: Partial<Record<V, string>> = {}
    const missing = variables.filter((variable) => {
      const value = process.env[variable]
      if (value === undefined || value === "") return true
      environment[variable] = value
      return false
    })
    if (missing.length === 0) {
      describe(name, () => suite(environment as { readonly [K in V]: string }))
      return
    }
    const reason = `${missing.join(", ")} not set; start the servers with: npm run services -- run -- npm run test:real`
    if (inCI) throw new Error(`${name}: ${reason}`)
    process.stderr.write(`skipped: ${name}: ${reason}\n`)
    describe(name, () => it.skip(reason))
  }
