/**
 * Where spans are sent: from what a person writes to a URL, with its secrets apart.
 *
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
 * @internal
 */
import * as Redacted from "effect/Redacted"
import type { Endpoint } from "../../TelemetryConfig.ts"
import { percentDecode } from "./text.ts"

/** An endpoint as it was read. */
export interface ParsedEndpoint {
  readonly endpoint: Endpoint
  /** What the credentials of the URL make: the value of an `Authorization` header. */
  readonly authorization: Redacted.Redacted<string> | undefined
  /** Whether `/v1/traces` now stands there twice. */
  readonly doubled: boolean
}

/** The path that the specification appends to a base URL. */
export const tracesPath = "/v1/traces"

const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i
const hostAndPort = /^(?:[^\s/?#@]*@)?(?:\[[^\]\s]+\]|[^\s:/?#@[\]]+):\d{1,5}(?:[/?#].*)?$/

/** Masks what may be secret in text that need not be a URL: everything before an `@`, and any query. */
export const maskUrl = (text: string): string =>
  text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1<redacted>@").replace(/[?#].*$/s, "?<redacted>")

const displayOf = (url: URL): string => {
  if (url.search === "") return url.href
  const names = url.search
    .slice(1)
    .split("&")
    .map((pair) => (pair.includes("=") ? `${pair.slice(0, pair.indexOf("="))}=<redacted>` : "<redacted>"))
  return `${url.origin}${url.pathname}?${names.join("&")}`
}

/**
 * Reads an endpoint; a string says why it is none.
 *
 * **Details**
 *
 * A base URL gets `/v1/traces` at the end of its path, before its query; a traces endpoint stays as it is. A fragment is
 * never sent and goes. Credentials become a basic `Authorization` header, which is what OTLP exporters on Node.js do with
 * them, and what a client over `fetch`, which refuses such a URL, would not.
 */
export const parseEndpoint = (text: string, form: "base" | "traces"): ParsedEndpoint | string => {
  const hasScheme = withScheme.test(text)
  if (!hasScheme && !hostAndPort.test(text)) return "it is neither a URL nor host:port"
  let url: URL
  try {
    url = new URL(hasScheme ? text : `http://${text}`)
  } catch {
    return "it is not a URL"
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return `its scheme is ${url.protocol.slice(0, -1)}`
  if (url.port === "0") return "nothing listens on port 0"
  const user = percentDecode(url.username)
  const password = percentDecode(url.password)
  if (user === undefined || password === undefined) return "its credentials are not percent-encoded"
  const authorization =
    user === "" && password === ""
      ? undefined
      : Redacted.make(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`)
  url.username = ""
  url.password = ""
  url.hash = ""
  let doubled = false
  if (form === "base") {
    const path = url.pathname.replace(/\/+$/, "")
    doubled = path.endsWith(tracesPath)
    url.pathname = path + tracesPath
  }
  return { endpoint: { url: Redacted.make(url.href), display: displayOf(url) }, authorization, doubled }
}
