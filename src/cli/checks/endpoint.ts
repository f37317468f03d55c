/**
 * The form of the endpoint, before anybody is asked, and what proxy variables mean for it.
 *
 * @internal
 */
import { isIP } from "node:net"
import * as Redacted from "effect/Redacted"
import type { TelemetryConfig } from "../../TelemetryConfig.ts"
import { type Finding, ok, warning } from "../Finding.ts"
import * as Probe from "../probe.ts"

/** Ports that are known for something else than OTLP over HTTP. */
const otherPorts: Readonly<Record<number, string>> = {
  4317: "gRPC (OTLP/gRPC)",
  16686: "Jaeger's page",
  14250: "Jaeger's old gRPC",
  14268: "Jaeger's old Thrift",
  9411: "Zipkin",
  3000: "Grafana",
  3200: "Tempo's queries",
  13133: "the Collector's health check",
  8888: "the Collector's own metrics"
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")

/** Names of headers that hold credentials. */
const secretHeader = /^(authorization|cookie|.*(key|token|secret|auth).*)$/i

/** What can be told of an endpoint by reading it. */
export const endpoint = (config: TelemetryConfig): ReadonlyArray<Finding> => {
  const url = new URL(Redacted.value(config.endpoint.url))
  const { display } = config.endpoint
  const { name = "OTEL_EXPORTER_OTLP_ENDPOINT" } = config.sources.endpoint
  const host = Probe.hostOf(url)
  const port = Probe.portOf(url)
  const found: Array<Finding> = []
  const doubt = (what: string, todo: string): void => void found.push(warning("endpoint", `${display}: ${what}`, todo))

  const other = otherPorts[port]
  if (other !== undefined) {
    doubt(
      `port ${port} is usually ${other}, and the exporter speaks ${config.protocol}`,
      "use the port of OTLP over HTTP, usually 4318"
    )
  }
  if (/\/v1\/traces\/+v1\/traces\/*$/.test(url.pathname)) {
    doubt(
      "/v1/traces stands there twice",
      `remove it from ${name}, where it is appended, or put the full URL into OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`
    )
  } else if (!url.pathname.endsWith("/v1/traces")) {
    doubt(
      `the path ${url.pathname} does not end with /v1/traces, and nothing is appended to ${name}`,
      `write the full URL, or use OTEL_EXPORTER_OTLP_ENDPOINT=${url.origin}`
    )
  }
  if (url.protocol === "http:" && port === 443) doubt("http on the port of https", "write https:// instead of http://")
  const secrets = Object.keys(config.headers).filter((header) => secretHeader.test(header))
  if (url.protocol === "http:" && secrets.length > 0 && !isLoopback(host) && port !== 443) {
    doubt(`the header ${secrets.join(", ")} goes there unencrypted`, "write https:// instead of http://")
  }
  const how = `${config.protocol}${config.compression === "gzip" ? ", gzip" : ""}`
  const by = config.sources.endpoint.from === "default" ? "the default" : `by ${name}`
  return found.length > 0 ? found : [ok("endpoint", `${display}, ${by}, ${how}`)]
}

type Environment = Readonly<Record<string, string | undefined>>

const read = (environment: Environment, name: string): readonly [string, string] | undefined => {
  for (const key of [name, name.toLowerCase()]) {
    const value = environment[key]?.trim()
    if (value !== undefined && value !== "") return [key, value]
  }
  return undefined
}

/** Whether `NO_PROXY` names a host: as itself, as a domain above it, with its port, or by `*`. */
export const isExcepted = (host: string, port: number, list: string): boolean =>
  list.split(",").some((item) => {
    const entry = item.trim().toLowerCase()
    if (entry === "") return false
    if (entry === "*") return true
    const [, name = entry, ofPort] = /^(.*?):(\d+)$/.exec(isIP(entry) === 6 ? "" : entry) ?? []
    if (ofPort !== undefined && Number(ofPort) !== port) return false
    const domain = name.replace(/^\*?\./, "")
    const lower = host.toLowerCase()
    return lower === domain || lower.endsWith(`.${domain}`)
  })

/** The variable that names a proxy for an address, for programs that heed it. */
export const proxyVariable = (url: URL, environment: Environment): string | undefined => {
  const proxy =
    read(environment, url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") ?? read(environment, "ALL_PROXY")
  const except = read(environment, "NO_PROXY")
  const host = Probe.hostOf(url)
  if (proxy === undefined || isLoopback(host)) return undefined
  return except !== undefined && isExcepted(host, Probe.portOf(url), except[1]) ? undefined : proxy[0]
}

/** The exporter has agents of its own, without a proxy, also where `NODE_USE_ENV_PROXY` gives Node.js' own agents one. */
export const proxy = (config: TelemetryConfig, environment: Environment): Finding => {
  const url = new URL(Redacted.value(config.endpoint.url))
  const variable = proxyVariable(url, environment)
  if (variable === undefined) return ok("proxy", "none is named for this address; the exporter connects directly")
  return warning(
    "proxy",
    `${variable} is set, but the exporter connects directly and uses no proxy`,
    `if ${url.hostname} can only be reached through the proxy, export to an OpenTelemetry Collector beside the application, and let it use the proxy; otherwise add ${url.hostname} to NO_PROXY`
  )
}
