/**
 * Sends one OTLP request over HTTP and says exactly what came of it.
 *
 * **Why not the transport of `@opentelemetry/otlp-exporter-base`:** what is public of it
 * (`createOtlpHttpExportDelegate`) puts its own retries in front: five, from 1 s on, by timers that cannot be stopped
 * and keep the process alive. Of a refusal that it retried, neither the status nor `Retry-After` is told to the caller,
 * its timeout is one of silence rather than of the whole request, a socket that died while it was kept alive costs a
 * retry of a second, and a fault of TLS drops the batch. The OTLP/HTTP specification and this package's promises need
 * each of these, so requests are made with `node:http` and `node:https` here.
 *
 * Connections are kept alive and used again; one that the server closed meanwhile is replaced at once. Sockets that are
 * idle never keep the process alive. Requests are marked as not to be traced, the way OpenTelemetry's own exporters
 * mark theirs, so instrumentations of `http` leave them alone.
 *
 * **Example** (A collector that is not there)
 *
 * ```ts
 * import { HttpTransport } from "effect-telemetry/export/HttpTransport"
 * import * as Timing from "effect-telemetry/export/Timing"
 *
 * const transport = new HttpTransport({ url: "http://localhost:1/v1/traces", timing: Timing.make() })
 * const answer = await transport.send([new Uint8Array()], "application/x-protobuf", 1000)
 * transport.close()
 * if (answer._tag !== "Failed") throw new Error("nobody listens on port 1")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
 */
import { context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api"
import type * as Http from "node:http"
import type * as Https from "node:https"
import { urlToHttpOptions } from "node:url"
import type * as Zlib from "node:zlib"
import { messageOf } from "./Diagnostics.ts"
import { PacedWriter } from "./PacedWriter.ts"
import type { Timing } from "./Timing.ts"

/** PEM texts, as `OTEL_EXPORTER_OTLP_CERTIFICATE`, `…_CLIENT_CERTIFICATE` and `…_CLIENT_KEY` name files of. */
export interface TlsOptions {
  /** Certificates to trust, instead of those that Node.js comes with. */
  readonly ca?: string | Uint8Array | undefined
  /** The client's certificate (chain). */
  readonly certificate?: string | Uint8Array | undefined
  /** The client's private key. */
  readonly key?: string | Uint8Array | undefined
}

/** Where requests go, and how. */
export interface HttpTransportOptions {
  /** The full URL, `http:` or `https:`. Credentials in it are sent as basic authentication. */
  readonly url: string
  /** Sent with every request. `Content-Type`, `-Length` and `-Encoding` are the transport's own. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Default `none`. */
  readonly compression?: "none" | "gzip" | undefined
  readonly tls?: TlsOptions | undefined
  /** Connections at most, default 8. */
  readonly maxConnections?: number | undefined
  /** Put before the default `User-Agent`. */
  readonly userAgent?: string | undefined
  readonly timing: Timing
}

/** What came of a request. */
export type HttpAnswer =
  | {
      readonly _tag: "Answered"
      readonly status: number
      readonly retryAfter: string | undefined
      /** When the server says that it answered. */
      readonly date: string | undefined
      readonly contentType: string
      /** At most 64 KiB of it. */
      readonly body: Uint8Array
      /** Whether all of the request had left by then, so that nobody reads its pieces any more. */
      readonly isSent: boolean
    }
  | {
      readonly _tag: "Failed"
      /** The system's code (`ECONNREFUSED`), or `TIMEOUT`, `ABORTED`, `INVALID` (the request cannot be made at all). */
      readonly code: string
      readonly message: string
    }

const defaultUserAgent = "OTel-OTLP-Exporter-JavaScript/effect-telemetry"
const bodyLimit = 64 * 1024
/** A connection may have died while idle; so may the next one. After this many a new one is made. */
const staleLimit = 3
/** Spans compress to a sixth at any level; the lowest one costs a third of the time. */
const gzipLevel = 1

/**
 * OpenTelemetry's context with tracing suppressed. The key is the one that `@opentelemetry/core` uses; a key is a global
 * symbol, and importing that package for it would cost a fifth of the start-up time.
 */
export const suppressed = ROOT_CONTEXT.setValue(
  createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING"),
  true
)

/**
 * A client for one endpoint, with its connections. It repeats nothing that a server may have seen, and never throws or rejects.
 */
export class HttpTransport {
  private readonly url: URL
  private readonly options: HttpTransportOptions
  private agent: Http.Agent | undefined
  /** What all requests have in common. */
  private common: Http.RequestOptions | undefined
  private readonly running = new Set<() => void>()
  private readonly writer: PacedWriter
  private closed = false

  constructor(options: HttpTransportOptions) {
    this.options = options
    this.url = new URL(options.url)
    this.writer = new PacedWriter(options.timing)
  }

  /**
   * Sends a body, given in pieces, and waits for the answer at most `timeoutMillis` in all. The promise never rejects.
   */
  send(pieces: ReadonlyArray<Uint8Array>, contentType: string, timeoutMillis: number): Promise<HttpAnswer> {
    return new Promise((resolve) => {
      let current: Http.ClientRequest | undefined
      let partial: HttpAnswer | undefined
      let done = false
      const finish = (answer: HttpAnswer): void => {
        if (done) return
        done = true
        cancel()
        this.running.delete(abort)
        resolve(answer)
      }
      const give = (code: string, message: string) => (): void => {
        // A server that has said its status and then dawdles with the body has said what matters.
        finish(partial ?? { _tag: "Failed", code, message })
        current?.destroy()
      }
      const abort = give("ABORTED", "aborted at shutdown")
      const cancel = this.options.timing.after(timeoutMillis, give("TIMEOUT", `no answer within ${timeoutMillis} ms`))
      if (this.closed) return abort()
      this.running.add(abort)

      const attempt = (body: ReadonlyArray<Uint8Array>, gzipped: boolean, stale: number): void => {
        try {
          const request = this.request(body, contentType, gzipped, stale >= staleLimit)
          current = request
          request.on("error", (error: NodeJS.ErrnoException) => {
            if (done) return
            if (partial !== undefined) return finish(partial)
            if (request.reusedSocket && stale < staleLimit && isConnectionLoss(error)) {
              return attempt(body, gzipped, stale + 1)
            }
            finish({ _tag: "Failed", code: codeOf(error), message: messageOf(error) })
          })
          request.on("response", (response) => {
            const chunks: Array<Uint8Array> = []
            let size = 0
            const answered = (): HttpAnswer => ({
              _tag: "Answered",
              status: response.statusCode ?? 0,
              retryAfter: response.headers["retry-after"],
              date: response.headers.date,
              contentType: (response.headers["content-type"] ?? contentType).toLowerCase(),
              body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks),
              isSent: request.writableFinished
            })
            partial = answered()
            response.on("data", (chunk: Uint8Array) => {
              size += chunk.length
              if (size <= bodyLimit) return void chunks.push(chunk)
              finish(answered())
              request.destroy()
            })
            response.on("end", () => finish(answered()))
            response.on("error", () => finish(answered()))
            response.on("close", () => finish(answered()))
          })
        } catch (error) {
          // Headers that HTTP does not allow, a certificate that cannot be read.
          finish({ _tag: "Failed", code: "INVALID", message: messageOf(error) })
        }
      }

      if (this.options.compression === "gzip") {
        zlib().gzip(Buffer.concat(pieces), { level: gzipLevel }, (error, compressed) => {
          if (done) return
          if (error === null) attempt([compressed], true, 0)
          else attempt(pieces, false, 0)
        })
      } else attempt(pieces, false, 0)
    })
  }

  /** Ends what is running and closes every connection. */
  close(): void {
    this.closed = true
    for (const abort of this.running) abort()
    this.agent?.destroy()
  }

  private request(
    body: ReadonlyArray<Uint8Array>,
    contentType: string,
    gzipped: boolean,
    fresh: boolean
  ): Http.ClientRequest {
    const { headers, maxConnections = 8, tls, userAgent } = this.options
    const secure = this.url.protocol === "https:"
    const module = secure ? https() : http()
    this.agent ??= new module.Agent({
      keepAlive: true,
      maxSockets: maxConnections,
      maxFreeSockets: maxConnections,
      ...(secure && tls !== undefined
        ? { ca: bufferOf(tls.ca), cert: bufferOf(tls.certificate), key: bufferOf(tls.key) }
        : {})
    } as Https.AgentOptions)
    const agent = this.agent
    this.common ??= {
      ...urlToHttpOptions(this.url),
      method: "POST",
      agent,
      headers: {
        "user-agent": userAgent === undefined ? defaultUserAgent : `${userAgent} ${defaultUserAgent}`,
        ...lowerCase(headers)
      }
    }
    const { common } = this
    let length = 0
    for (const piece of body) length += piece.length
    return context.with(suppressed, () => {
      if (fresh) for (const sockets of Object.values(agent.freeSockets)) sockets?.forEach((socket) => socket.destroy())
      const request = module.request({
        ...common,
        headers: {
          ...(common.headers as Http.OutgoingHttpHeaders),
          "content-type": contentType,
          "content-length": length,
          ...(gzipped ? { "content-encoding": "gzip" } : {})
        }
      })
      this.writer.write(request, body)
      return request
    })
  }
}

// Loaded with the first request: a process that sends nothing should not pay for a client.
const http = (): typeof Http => process.getBuiltinModule("node:http")
const https = (): typeof Https => process.getBuiltinModule("node:https")
const zlib = (): typeof Zlib => process.getBuiltinModule("node:zlib")

const bufferOf = (pem: string | Uint8Array | undefined): string | Buffer | undefined =>
  pem === undefined || typeof pem === "string" ? pem : Buffer.from(pem)

const lowerCase = (headers: Readonly<Record<string, string>> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

const codeOf = (error: unknown): string => {
  const code = (error as { readonly code?: unknown } | null)?.code
  if (typeof code === "string") return code
  const first = error instanceof AggregateError ? error.errors[0] : undefined
  return first === undefined ? "UNKNOWN" : codeOf(first)
}

const isConnectionLoss = (error: unknown): boolean => {
  const code = codeOf(error)
  return code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED"
}
