/**
 * A collector that speaks OTLP/HTTP: requests out, and its answers read to the letter of the specification.
 *
 * Retryable are 429, 502, 503 and 504, and every fault of the connection; 413 asks for smaller requests, and so does a
 * 400 that says "request body too large", as the OpenTelemetry Collector does; everything else that is not 2xx is for
 * good.
 *
 * **Example** (How long a server asks to wait)
 *
 * ```ts
 * import { retryAfterMillis } from "effect-telemetry/export/OtlpSink"
 *
 * if (retryAfterMillis("7", 0) !== 7000) throw new Error("seconds")
 * if (retryAfterMillis("Thu, 01 Jan 1970 00:01:00 GMT", 0) !== 60_000) throw new Error("a date")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
import type { Outcome, Part, Sink } from "./Batch.ts"
import * as Redaction from "../tracer/Redaction.ts"
import { HttpTransport, type HttpAnswer, type HttpTransportOptions } from "./HttpTransport.ts"
import type { EncodedSection, Encoding } from "./OtlpEncoder.ts"
import { type Clean, readRefusal, readSuccess } from "./OtlpResponse.ts"

/** A request that only lacks its frame. */
export interface EncodedRequest {
  readonly encoding: Encoding
  /** As `encoding.resource` wrote it. */
  readonly resource: Uint8Array
  readonly sections: ReadonlyArray<EncodedSection>
  /** Gives the memory of its spans back, once nobody reads them any more. */
  readonly release?: (() => void) | undefined
}

/** A request and what it holds. */
export const partOf = (request: EncodedRequest): Part<EncodedRequest> => {
  let count = 0
  let bytes = 0
  for (const section of request.sections) {
    count += section.count
    bytes += section.spans.length
  }
  return { payload: request, count, bytes }
}

/** Makes the sink of a collector. */
export const make = (options: HttpTransportOptions): Sink<EncodedRequest> => {
  const transport = new HttpTransport(options)
  const clean = cleaner(options)
  return {
    target: publicUrl(options.url),
    send: async (request, timeoutMillis) => {
      const pieces = request.encoding.request(request.resource, request.sections)
      const answer = await transport.send(pieces, request.encoding.contentType, timeoutMillis)
      const outcome = outcomeOf(answer, options.timing.date(), clean)
      // A server may answer before it has read all: what the socket still holds must not be written to.
      if (outcome._tag === "Delivered" && answer._tag === "Answered" && answer.isSent) request.release?.()
      return outcome
    },
    split,
    nameOf: (request) => {
      const section = request.sections[0]
      return section === undefined ? "" : request.encoding.nameOf(section.spans)
    },
    release: (request) => request.release?.(),
    close: () => transport.close()
  }
}

/** Shorter values are words, such as `true`, that stand in messages for other reasons. */
const shortestSecret = 6

/**
 * Takes out of an answer what was sent with the request: a collector that refuses a key may repeat it, and what it says goes
 * into log lines.
 */
const cleaner = ({ headers = {}, url }: HttpTransportOptions): Clean => {
  const { password, searchParams } = new URL(url)
  const secrets = [...Object.values(headers), password, ...searchParams.values()]
    .flatMap((value) => [value.trim(), ...credentialsIn(value.trim())])
    .filter((value) => value.length >= shortestSecret)
    // What holds another one goes first.
    .sort((a, b) => b.length - a.length)
  return (text) => Redaction.defaults.text(secrets.reduce((left, secret) => left.replaceAll(secret, "REDACTED"), text))
}

/** What stands behind the scheme of an `Authorization`, and the password of a basic one. */
const credentialsIn = (value: string): ReadonlyArray<string> => {
  const [, scheme = "", credential = ""] = /^(\S+)\s+(\S+)$/.exec(value) ?? []
  if (scheme.toLowerCase() !== "basic") return [credential]
  return [credential, Buffer.from(credential, "base64").toString().split(":").slice(1).join(":")]
}

/** A URL as it may be shown: without credentials, query and fragment. */
export const publicUrl = (url: string): string => {
  const parsed = new URL(url)
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`
}

const retryable = new Set([429, 502, 503, 504])
/** What a span may be to blame for; the others are about the address, the headers or the encoding. */
const aboutContent = new Set([400, 422, 500])
/** The OpenTelemetry Collector refuses a body beyond `max_request_body_size` with 400 and the words of Go's reader. */
const tooLarge = /\b(?:body|message|request|payload) (?:is )?(?:too large|larger than)/i

const outcomeOf = (answer: HttpAnswer, date: number, clean: Clean): Outcome => {
  if (answer._tag === "Failed") {
    // A batch may make a server fail or fall silent, but not its address vanish.
    const unreachable = answer.code !== "TIMEOUT" && answer.code !== "ECONNRESET" && answer.code !== "EPIPE"
    return answer.code === "INVALID"
      ? { _tag: "Refused", message: `the request cannot be made: ${answer.message}`, mayTakeParts: false }
      : {
          _tag: "Retry",
          afterMillis: undefined,
          message: answer.message,
          unreachable,
          mayTakeParts: !unreachable
        }
  }
  const { body, contentType, status } = answer
  if (status >= 200 && status <= 299) {
    const { message, rejectedSpans } = readSuccess(body, contentType, clean)
    return { _tag: "Delivered", rejected: rejectedSpans, message }
  }
  const said = readRefusal(body, contentType, clean)
  const message = `HTTP ${status}${said === "" ? "" : `, "${said}"`}`
  if (retryable.has(status)) {
    return {
      _tag: "Retry",
      afterMillis:
        answer.retryAfter === undefined ? undefined : retryAfterMillis(answer.retryAfter, dateOf(answer.date) ?? date),
      message,
      unreachable: false
    }
  }
  if (status === 413 || (status === 400 && tooLarge.test(said))) return { _tag: "TooLarge", message }
  return { _tag: "Refused", message: message + hintFor(status), mayTakeParts: aboutContent.has(status) }
}

const hintFor = (status: number): string => {
  switch (status) {
    case 401:
    case 403:
      return " (are the headers of OTEL_EXPORTER_OTLP_HEADERS right?)"
    case 404:
    case 405:
      return " (is the path right? /v1/traces is appended to OTEL_EXPORTER_OTLP_ENDPOINT, not to ..._TRACES_ENDPOINT)"
    case 415:
      return " (does it take this OTEL_EXPORTER_OTLP_PROTOCOL?)"
    default:
      return status < 400 ? " (redirects are not followed)" : ""
  }
}

/** Longest wait that a server may ask for. */
const longestWaitMillis = 3_600_000

/**
 * How long `Retry-After` asks to wait, in milliseconds, an hour at most: seconds, or a date against the moment
 * given (that of the answer's own `Date`, where it has one).
 * `undefined` where it is neither, and for a date that has passed: the server's clock, or ours, is wrong.
 */
export const retryAfterMillis = (header: string, date: number): number | undefined => {
  const text = header.trim()
  const isSeconds = /^\d+(\.\d+)?$/.test(text)
  if (!isSeconds && !httpDate.test(text)) return undefined
  const millis = isSeconds ? Number(text) * 1000 : Date.parse(text) - date
  return Number.isNaN(millis) || (!isSeconds && millis <= 0) ? undefined : Math.min(longestWaitMillis, millis)
}

/** A date that a server gives is one of its own clock, which may be another than ours. */
const dateOf = (header: string | undefined): number | undefined => {
  const date = header !== undefined && httpDate.test(header) ? Date.parse(header) : NaN
  return Number.isNaN(date) ? undefined : date
}

/** JavaScript takes `-5` and `1, 2` for dates. */
const httpDate = /^[A-Za-z]{3,9},? /

const split = (request: EncodedRequest): readonly [Part<EncodedRequest>, Part<EncodedRequest>] => {
  const half = partOf(request).count >> 1
  const left: Array<EncodedSection> = []
  const right: Array<EncodedSection> = []
  let room = half
  // Read back from a spool, the sections of a request may come in another order.
  const sections = [...request.sections].sort((a, b) => Buffer.compare(a.scope, b.scope))
  for (const section of sections) {
    if (room >= section.count) left.push(section)
    else if (room <= 0) right.push(section)
    else {
      const [first, second] = request.encoding.split(section.spans, room)
      left.push({ scope: section.scope, count: room, spans: first })
      right.push({ scope: section.scope, count: section.count - room, spans: second })
    }
    room -= section.count
  }
  // What two share is given back by none.
  const { encoding, resource } = request
  return [partOf({ encoding, resource, sections: left }), partOf({ encoding, resource, sections: right })]
}
