/**
 * An empty export, and what the collector answers; and its clock.
 *
 * @internal
 */
import { gzipSync } from "node:zlib"
import * as Redacted from "effect/Redacted"
import { oneLine } from "../../export/Diagnostics.ts"
import { readRefusal, readSuccess } from "../../export/OtlpResponse.ts"
import { version } from "../../internal/version.ts"
import type { TelemetryConfig } from "../../TelemetryConfig.ts"
import { failed, type Finding, ok, skipped, warning } from "../Finding.ts"
import * as Probe from "../probe.ts"
import { tlsOptions } from "./network.ts"

/** How a request is made. */
export interface Form {
  readonly url: string
  readonly protocol: "http/protobuf" | "http/json"
  readonly compression: "none" | "gzip"
}

export const formOf = (config: TelemetryConfig): Form => ({
  url: Redacted.value(config.endpoint.url),
  protocol: config.protocol,
  compression: config.compression
})

/** Exports no spans, the way the exporter exports some. */
export const exportNothing = (
  config: TelemetryConfig,
  form: Form,
  millis: number
): Promise<Probe.Answer | Probe.Failure> => {
  const isJson = form.protocol === "http/json"
  const plain = Buffer.from(isJson ? '{"resourceSpans":[]}' : "")
  const isGzipped = form.compression === "gzip"
  return Probe.request(form.url, {
    method: "POST",
    millis,
    tls: tlsOptions(config),
    body: isGzipped ? gzipSync(plain) : plain,
    headers: {
      "user-agent": `effect-telemetry/${version}`,
      ...Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name, Redacted.value(value)])),
      "content-type": isJson ? "application/json" : "application/x-protobuf",
      ...(isGzipped ? { "content-encoding": "gzip" } : {})
    }
  })
}

const isHtml = ({ body, headers }: Probe.Answer): boolean =>
  /^text\/html/i.test(headers["content-type"] ?? "") || /^\s*<(!doctype html|html)/i.test(body.toString("utf8", 0, 256))

const titleOf = (body: Buffer): string => {
  const title = oneLine(/<title[^>]*>([^<]*)/i.exec(body.toString("utf8"))?.[1] ?? "")
  return title === "" ? "" : `, "${title.slice(0, 80)}"`
}

/** What was tried beside the configured form, and taken. */
export interface Alternative {
  /** What is to be set. */
  readonly setting: string
}

export interface Asked {
  readonly display: string
  readonly form: Form
  /** Names of the headers that are configured. */
  readonly headers: ReadonlyArray<string>
  readonly alternative?: Alternative | undefined
}

const unauthorized = (asked: Asked): string =>
  asked.headers.length === 0
    ? "no header is configured: set OTEL_EXPORTER_OTLP_HEADERS, as in authorization=Bearer%20<token>"
    : `the value of ${asked.headers.join(", ")} is not right there: look at OTEL_EXPORTER_OTLP_HEADERS (values are percent-encoded: a space is %20) and at the tenant`

const todoOf = (status: number, asked: Asked): string => {
  if (asked.alternative !== undefined) return `it takes this: set ${asked.alternative.setting}`
  switch (status) {
    case 400:
      return "look at what it says, and at its log; http to a port of https answers so too"
    case 401:
    case 403:
      return unauthorized(asked)
    case 404:
      return `no collector has this path: the path of OTLP is /v1/traces, appended to OTEL_EXPORTER_OTLP_ENDPOINT and not to …_TRACES_ENDPOINT`
    case 405:
      return "this address takes no POST, so it is not the one of OTLP: a web page, an API for queries, or a wrong path"
    case 407:
      return "a proxy stands in between and wants credentials: export to a Collector beside the application, and let it use the proxy"
    case 413:
      return "even an empty export is too large there: a limit of the server or a proxy before it (max_request_body_size, client_max_body_size) is wrong"
    case 415:
      return "it takes neither http/protobuf nor http/json, so it is not a collector"
    case 429:
      return "it has too much to do or a quota is used up: the exporter waits and tries again; raise the quota, or lower OTEL_TRACE_SAMPLER_RATE"
    case 502:
    case 503:
    case 504:
      return "the collector, or the proxy before it, does not reach what is behind it: look at its log; the exporter tries again"
    default:
      return status >= 500 ? "look at the collector's log" : "look at what answers there"
  }
}

/** A `Location` without what may be secret in it. */
const locationOf = (answer: Probe.Answer, url: string): string | undefined => {
  const location = answer.headers.location
  if (location === undefined || !URL.canParse(location, url)) return undefined
  const target = new URL(location, url)
  return `${target.origin}${target.pathname}`
}

/** What an answer means. */
export const explain = (answer: Probe.Answer, asked: Asked): Finding => {
  const { status } = answer
  if (status >= 300 && status <= 399) {
    const location = locationOf(answer, asked.form.url)
    return failed(
      "answer",
      `HTTP ${status}: a redirect${location === undefined ? "" : ` to ${location}`}, which the exporter does not follow`,
      location === undefined
        ? "write the address that it leads to"
        : /\/(login|signin|sign-in|auth|oauth2?)\b/i.test(location)
          ? `a page for people to log in stands before it: give the collector a way around it, or its own address`
          : `set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=${location}`
    )
  }
  if (isHtml(answer)) {
    return failed(
      "answer",
      `HTTP ${status} with a page of HTML${titleOf(answer.body)}: a proxy or a web server answers, not a collector`,
      status === 401 || status === 403
        ? unauthorized(asked)
        : `look at what answers at ${asked.display}: a proxy's page, a login, or the backend's own page on this port`
    )
  }
  const contentType = (answer.headers["content-type"] ?? "").toLowerCase()
  if (status >= 200 && status <= 299) {
    const { message } = readSuccess(answer.body, contentType)
    const found = `an empty export was taken: HTTP ${status} in ${answer.millis} ms`
    return message === ""
      ? ok("answer", found)
      : warning("answer", `${found}, with the words "${message}"`, "look at the collector's log")
  }
  const said = readRefusal(answer.body, contentType)
  const found = `HTTP ${status}${said === "" ? "" : `, "${said}"`}`
  // Some refuse what is empty, and take what is not: the test trace tells.
  return status === 400 && asked.alternative === undefined && !/https/i.test(said)
    ? warning("answer", `an empty export was refused: ${found}`, todoOf(status, asked))
    : failed(
        "answer",
        found,
        /to an? HTTPS server/i.test(said) ? "write https:// instead of http://" : todoOf(status, asked)
      )
}

/** Other forms that may be what the server wants, after an answer that says that ours is not. */
const alternatives = (status: number, config: TelemetryConfig): ReadonlyArray<Form & Alternative> => {
  const form = formOf(config)
  const other = form.protocol === "http/json" ? "http/protobuf" : "http/json"
  const { origin, pathname } = new URL(form.url)
  if (status === 415 || status === 400) {
    return [
      ...(form.compression === "gzip"
        ? [{ ...form, compression: "none" as const, setting: "OTEL_EXPORTER_OTLP_COMPRESSION=none" }]
        : []),
      { ...form, protocol: other, setting: `OTEL_EXPORTER_OTLP_PROTOCOL=${other}` }
    ]
  }
  if ((status === 404 || status === 405) && pathname !== "/v1/traces") {
    return [{ ...form, url: `${origin}/v1/traces`, setting: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=${origin}/v1/traces` }]
  }
  return []
}

const broken = async (answer: Probe.Failure, url: URL, millis: number): Promise<readonly [string, string]> => {
  const host = Probe.hostOf(url)
  const port = Probe.portOf(url)
  if (answer.code === "TIMEOUT") {
    return [
      `connected, but there was ${answer.message}`,
      "the collector hangs, or what stands before it holds the request back: look at its log; OTEL_EXPORTER_OTLP_TIMEOUT says how long to wait"
    ]
  }
  if (answer.code === "INVALID") {
    return [
      `the request cannot be made: ${answer.message}`,
      "look at the headers of OTEL_EXPORTER_OTLP_HEADERS and at the files for TLS"
    ]
  }
  if (/CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA/.test(answer.code)) {
    return [
      `the server refuses this client (${answer.code})`,
      "look at OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
    ]
  }
  if (url.protocol === "http:") {
    if (await Probe.speaksHttp2(host, port, millis)) {
      return [
        "the server speaks gRPC (HTTP/2), and the exporter OTLP over HTTP",
        "use the collector's port of OTLP over HTTP, usually 4318 instead of 4317"
      ]
    }
    if (await Probe.speaksTls(host, port, millis)) return ["the server speaks TLS", "write https:// instead of http://"]
  }
  return [
    `no answer of HTTP: ${answer.message}`,
    "what listens there is not a collector, or it breaks the connection: look at its log"
  ]
}

/** Asks, and where the answer is a refusal, asks whether another form is taken. */
export const ask = async (
  config: TelemetryConfig,
  millis: number
): Promise<{ readonly finding: Finding; readonly answer: Probe.Answer | undefined }> => {
  const form = formOf(config)
  const answer = await exportNothing(config, form, millis)
  if (answer._tag === "Failure") {
    const [found, todo] = await broken(answer, new URL(form.url), Math.min(1_000, millis))
    return { finding: failed("answer", found, todo), answer: undefined }
  }
  let alternative: Alternative | undefined
  for (const other of alternatives(answer.status, config)) {
    const second = await exportNothing(config, other, millis)
    if (second._tag === "Answer" && second.status >= 200 && second.status <= 299 && !isHtml(second)) {
      alternative = other
      break
    }
  }
  const finding = explain(answer, {
    display: config.endpoint.display,
    form,
    headers: Object.keys(config.headers),
    alternative
  })
  return { finding, answer }
}

/** `Date` has seconds, and requests take time. */
const tolerableMillis = 5_000

/** Our clock against the server's `Date`. */
export const clock = (answer: Probe.Answer): Finding => {
  const theirs = Date.parse(answer.headers.date ?? "")
  if (Number.isNaN(theirs)) return skipped("clock", "the server says no date")
  // It was cut to the second.
  const skew = answer.at - (theirs + 500)
  const seconds = Math.abs(Math.round(skew / 1000))
  if (Math.abs(skew) <= tolerableMillis) return ok("clock", "this machine and the server agree, as far as seconds tell")
  return warning(
    "clock",
    `this machine is ${seconds} s ${skew > 0 ? "ahead of" : "behind"} the server`,
    "set both clocks by NTP; until then look for traces at a time that is so much off, and do not trust the order of spans between machines"
  )
}
