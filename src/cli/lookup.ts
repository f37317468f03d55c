/**
 * Looks a trace up where it should have arrived: by Tempo's `/api/traces/{id}` and Jaeger's of the same path.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { TelemetryConfig } from "../TelemetryConfig.ts"
import * as Redacted from "effect/Redacted"
import { type CheckName, failed, type Finding, ok } from "./Finding.ts"
import * as Probe from "./probe.ts"

/** A backend that answers queries. */
export type Backend = Extract<CheckName, "tempo" | "jaeger">

/** Where it is asked: with its credentials apart, so that what is shown holds none. */
export interface Query {
  readonly backend: Backend
  /** Without credentials, query and a slash at its end. */
  readonly base: string
  readonly headers: Readonly<Record<string, string>>
}

/** Reads an address such as `http://user:key@localhost:3200`; a string says why it is none. */
export const parseQuery = (backend: Backend, address: string): Query | string => {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(address) ? address : `http://${address}`
  if (!URL.canParse(text)) return "not a URL"
  const url = new URL(text)
  if (url.protocol !== "http:" && url.protocol !== "https:") return "not an http: or https: URL"
  let credentials: string
  try {
    credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  } catch {
    return "its credentials are not percent-encoded"
  }
  return {
    backend,
    base: `${url.origin}${url.pathname}`.replace(/\/+$/, ""),
    headers: credentials === ":" ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` }
  }
}

/** Where a person looks: Jaeger has a page for a trace; Tempo is read through Grafana, and answers JSON itself. */
export const placeOf = ({ backend, base }: Query, traceId: string): string =>
  backend === "jaeger" ? `${base}/trace/${traceId}` : `${base}/api/traces/${traceId}`

/** What one question came to: `Later` is worth another try. */
export type Seen =
  | { readonly _tag: "Found"; readonly spans: number }
  | { readonly _tag: "Later"; readonly why: string }
  | { readonly _tag: "Wrong"; readonly why: string; readonly todo: string }

const isHtml = (answer: Probe.Answer): boolean =>
  String(answer.headers["content-type"] ?? "").startsWith("text/html") ||
  /^\s*</.test(answer.body.toString("utf8", 0, 64))

const options: Readonly<Record<Backend, { readonly flag: string; readonly example: string }>> = {
  tempo: { flag: "--tempo", example: "http://localhost:3200" },
  jaeger: { flag: "--jaeger", example: "http://localhost:16686" }
}

const countSpans = (backend: Backend, answer: unknown): number => {
  const listOf = (value: unknown, key: string): ReadonlyArray<unknown> => {
    const list = (value as Readonly<Record<string, unknown>> | null | undefined)?.[key]
    return Array.isArray(list) ? list : []
  }
  if (backend === "jaeger")
    return listOf(answer, "data").reduce<number>((n, trace) => n + listOf(trace, "spans").length, 0)
  const trace = (answer as { readonly trace?: unknown } | null)?.trace ?? answer
  return [...listOf(trace, "batches"), ...listOf(trace, "resourceSpans")]
    .flatMap((batch) => [...listOf(batch, "scopeSpans"), ...listOf(batch, "instrumentationLibrarySpans")])
    .reduce<number>((n, scope) => n + listOf(scope, "spans").length, 0)
}

/** Reads an answer to `GET /api/traces/{id}`. */
export const read = (backend: Backend, answer: Probe.Answer | Probe.Failure): Seen => {
  const { example, flag } = options[backend]
  if (answer._tag === "Failure") {
    return {
      _tag: "Wrong",
      why: answer.message,
      todo: `give the address that answers queries, as in ${flag} ${example}`
    }
  }
  const { status } = answer
  if (isHtml(answer)) {
    return {
      _tag: "Wrong",
      why: `HTTP ${status} with a page of HTML`,
      todo: `give the base address of its API, as in ${flag} ${example}`
    }
  }
  if (status === 401 || status === 403) {
    return {
      _tag: "Wrong",
      why: `HTTP ${status}`,
      todo: `put user and key into the address: ${flag} https://user:key@host`
    }
  }
  if (status === 404) return { _tag: "Later", why: "HTTP 404, no such trace" }
  if (status >= 500 || status === 429) return { _tag: "Later", why: `HTTP ${status}` }
  if (status !== 200) {
    return { _tag: "Wrong", why: `HTTP ${status}`, todo: `give the base address of its API, as in ${flag} ${example}` }
  }
  try {
    const spans = countSpans(backend, JSON.parse(answer.body.toString("utf8")))
    return spans > 0 ? { _tag: "Found", spans } : { _tag: "Later", why: "an answer without spans" }
  } catch {
    return {
      _tag: "Wrong",
      why: "an answer that is not JSON",
      todo: `give the base address of its API, as in ${flag} ${example}`
    }
  }
}

/** The tenant that spans are sent to is the one to ask. */
const tenantOf = (config: TelemetryConfig): Readonly<Record<string, string>> => {
  const tenant = config.headers["x-scope-orgid"]
  return tenant === undefined ? {} : { "x-scope-orgid": Redacted.value(tenant) }
}

const pauseMillis = 500

/** Asks until the trace is there with `spans` spans, for `waitMillis` at most. */
export const find = (
  query: Query,
  config: TelemetryConfig,
  trace: { readonly traceId: string; readonly spans: number },
  waitMillis: number
): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const url = `${query.base}/api/traces/${trace.traceId}`
    const headers = { accept: "application/json", ...tenantOf(config), ...query.headers }
    const start = performance.now()
    for (;;) {
      const seen = read(query.backend, yield* Effect.promise(() => Probe.request(url, { headers, millis: 5_000 })))
      const waited = performance.now() - start
      if (seen._tag === "Found" && seen.spans >= trace.spans) {
        return ok(
          query.backend,
          `trace ${trace.traceId} is there, with ${seen.spans} spans, after ${Math.round(waited)} ms`
        )
      }
      if (seen._tag === "Wrong") return failed(query.backend, `${query.base} cannot be asked: ${seen.why}`, seen.todo)
      if (waited + pauseMillis > waitMillis) {
        const why = seen._tag === "Found" ? `${seen.spans} of ${trace.spans} spans` : seen.why
        return failed(
          query.backend,
          `the collector took trace ${trace.traceId}, but ${query.base} does not have it after ${Math.round(waited / 1000)} s: ${why}`,
          `look at the collector's own log and its exporter; is ${query.base} the backend, and the tenant, that it sends to? --wait 60 waits longer`
        )
      }
      yield* Effect.sleep(Duration.millis(pauseMillis))
    }
  })
