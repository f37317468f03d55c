/**
 * An OTLP/HTTP trace receiver for tests. It decodes what it gets with the official protobuf definitions, keeps the
 * spans that it accepted, and can misbehave in the ways that real collectors and the networks before them do.
 *
 * - `receiver.endpoint` is the base URL, `receiver.url` the one of traces. It listens on loopback, on a free port.
 * - `receiver.answer(...)` says how every request is answered; `receiver.next(...)` how the next ones are, in order,
 *   before that. Answers are made by the functions below: `ok`, `status`, `partial`, `slow`, `hang`, `reset`, …
 * - `receiver.spans` are those of requests that were accepted (answered 2xx); `receiver.requests` are all requests.
 * - `receiver.spansReceived(n)` and `receiver.requestsReceived(n)` wait, and fail with what is there instead.
 * - `receiver.die()` closes the port and every connection; `receiver.comeBack()` listens on the same port again.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { gunzipSync } from "node:zlib"
import {
  decodeJson,
  decodeProtobuf,
  encodeResponse,
  encodeStatus,
  type ReceivedSpan,
  type ReceivedTraces
} from "./OtlpDecode.ts"

export type { ReceivedAttributes, ReceivedSpan, ReceivedTraces } from "./OtlpDecode.ts"

/** One request, as it came in. */
export interface ReceivedRequest {
  /** Counts from 0. */
  readonly index: number
  /** Milliseconds since the receiver was made. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly encoding: "protobuf" | "json"
  /** Length of the body on the wire, and after decompression. */
  readonly wireBytes: number
  readonly bytes: number
  /** What was in it; `undefined` with `malformed` set where it could not be decoded. */
  readonly traces: ReceivedTraces | undefined
  readonly malformed: unknown
  /** Which connection it came on: counts from 0. */
  readonly connection: number
  /** The status that it was answered with, once it was. */
  readonly answered: number | undefined
}

/** How one request is answered. */
export type Answer = (exchange: {
  readonly request: ReceivedRequest
  readonly response: http.ServerResponse
  readonly socket: Socket
  /** Marks the spans of the request as accepted; done by the answers below where they answer 2xx. */
  readonly accept: () => void
}) => void

const contentType = (encoding: "protobuf" | "json"): string =>
  encoding === "json" ? "application/json" : "application/x-protobuf"

const send = (
  response: http.ServerResponse,
  code: number,
  encoding: "protobuf" | "json",
  body: Uint8Array,
  headers: http.OutgoingHttpHeaders = {}
): void => {
  response.writeHead(code, { "content-type": contentType(encoding), "content-length": body.length, ...headers })
  response.end(body)
}

/** 200, everything taken. */
export const ok: Answer = ({ accept, request, response }) => {
  accept()
  send(response, 200, request.encoding, encodeResponse(undefined, request.encoding))
}

/** Refuses with a status. `retryAfter` is the header's value; `message` goes into the `Status` body. */
export const status = (
  code: number,
  options: { readonly retryAfter?: string | number; readonly message?: string; readonly body?: string } = {}
): Answer => {
  return ({ request, response }) => {
    const headers: http.OutgoingHttpHeaders =
      options.retryAfter === undefined ? {} : { "retry-after": String(options.retryAfter) }
    if (options.body !== undefined) {
      send(response, code, request.encoding, Buffer.from(options.body), { ...headers, "content-type": "text/html" })
    } else {
      send(
        response,
        code,
        request.encoding,
        encodeStatus(3, options.message ?? "refused by the test", request.encoding),
        headers
      )
    }
  }
}

/** 200, with some spans rejected. They are recorded as accepted all the same: a test knows what it rejected. */
export const partial =
  (rejectedSpans: number, errorMessage: string): Answer =>
  ({ accept, request, response }) => {
    accept()
    send(response, 200, request.encoding, encodeResponse({ rejectedSpans, errorMessage }, request.encoding))
  }

/** Never answers. */
export const hang: Answer = () => {}

/** Ends the connection with a TCP reset, after the request was read. */
export const reset: Answer = ({ socket }) => {
  socket.resetAndDestroy()
}

/** Waits, then answers. */
export const slow =
  (millis: number, then: Answer = ok): Answer =>
  (exchange) => {
    setTimeout(() => {
      if (!exchange.socket.destroyed) then(exchange)
    }, millis)
  }

/** 200, with a body that is no `ExportTraceServiceResponse`. */
export const garbage: Answer = ({ accept, response }) => {
  accept()
  response.writeHead(200, { "content-type": "application/x-protobuf" })
  response.end(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00, 0x12, 0x7f, 0x0a]))
}

/** Bytes that are no HTTP at all. */
export const notHttp: Answer = ({ socket }) => {
  socket.end("SSH-2.0-OpenSSH_9.2\r\n")
}

/** Status and headers, then a body that never ends. */
export const endless: Answer = ({ accept, response }) => {
  accept()
  response.writeHead(200, { "content-type": "application/x-protobuf" })
  response.write("x".repeat(1024))
}

/** 413 (or what else is given) for bodies (after decompression) above a size, otherwise `then`. */
export const tooLargeAbove =
  (bytes: number, then: Answer = ok, refusal: Answer = status(413, { message: "too large" })): Answer =>
  (exchange) =>
    (exchange.request.bytes > bytes ? refusal : then)(exchange)

/** What the OpenTelemetry Collector answers to a body beyond its `max_request_body_size`. */
export const collectorTooLarge: Answer = status(400, { message: "http: request body too large" })

/** Answers, and then closes the connection without having said so. */
export const closingAfter =
  (then: Answer = ok): Answer =>
  (exchange) => {
    exchange.response.on("finish", () => setTimeout(() => exchange.socket.destroy(), 5))
    then(exchange)
  }

/** Chooses by request. */
export const byRequest =
  (choose: (request: ReceivedRequest) => Answer): Answer =>
  (exchange) =>
    choose(exchange.request)(exchange)

/** Refuses every request that holds a span of this name, otherwise `then`. */
export const refusing =
  (name: string, code: number, then: Answer = ok): Answer =>
  (exchange) =>
    (exchange.request.traces?.spans.some((span) => span.name === name) ? status(code) : then)(exchange)

export interface OtlpReceiverOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 0: a free one. */
  readonly port?: number | undefined
  /** Makes it an HTTPS receiver. */
  readonly tls?: https.ServerOptions | undefined
  /** Milliseconds after which an idle connection is closed; Node.js' default otherwise. */
  readonly keepAliveTimeout?: number | undefined
}

export class OtlpReceiver {
  readonly requests: Array<ReceivedRequest> = []
  /** Of accepted requests, in the order in which they came. */
  readonly spans: Array<ReceivedSpan> = []
  /** How many connections were opened. */
  connections = 0
  #answer: Answer = ok
  #next: Array<Answer> = []
  #server: http.Server | undefined
  #sockets = new Map<Socket, number>()
  #waiting = new Set<() => void>()
  #port = 0
  readonly #made = performance.now()
  readonly #options: OtlpReceiverOptions

  private constructor(options: OtlpReceiverOptions) {
    this.#options = options
  }

  static async make(options: OtlpReceiverOptions = {}): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver(options)
    receiver.#port = options.port ?? 0
    await receiver.#listen()
    return receiver
  }

  get port(): number {
    return this.#port
  }

  get endpoint(): string {
    const host = this.#options.host ?? "127.0.0.1"
    return `${this.#options.tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${this.#port}`
  }

  get url(): string {
    return `${this.endpoint}/v1/traces`
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#sockets.size
  }

  /** How every request is answered from now on. */
  answer(answer: Answer): void {
    this.#answer = answer
  }

  /** How the next requests are answered, in order; after them `answer` holds again. */
  next(...answers: ReadonlyArray<Answer>): void {
    this.#next.push(...answers)
  }

  /** Ids of the accepted spans, each once. */
  spanIds(): Set<string> {
    return new Set(this.spans.map((span) => span.spanId))
  }

  spanNames(): Array<string> {
    return this.spans.map((span) => span.name)
  }

  spansReceived(count: number, timeoutMillis = 10_000): Promise<Array<ReceivedSpan>> {
    return this.#until(
      () => this.spans.length >= count,
      timeoutMillis,
      () => `waited for ${count} spans, have ${this.spans.length} of ${this.requests.length} requests`
    ).then(() => this.spans)
  }

  requestsReceived(count: number, timeoutMillis = 10_000): Promise<Array<ReceivedRequest>> {
    return this.#until(
      () => this.requests.length >= count,
      timeoutMillis,
      () => `waited for ${count} requests, have ${this.requests.length}`
    ).then(() => this.requests)
  }

  /** Closes the port and every connection at once, as a crash does. */
  async die(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of this.#sockets.keys()) socket.destroy()
    await closed
  }

  /** Listens on the same port again. */
  async comeBack(): Promise<void> {
    if (this.#server === undefined) await this.#listen()
  }

  close(): Promise<void> {
    return this.die()
  }

  #until(done: () => boolean, timeoutMillis: number, what: () => string): Promise<void> {
    if (done()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!done()) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(new Error(`${what()} after ${timeoutMillis} ms`))
      }, timeoutMillis)
      this.#waiting.add(check)
    })
  }

  async #listen(): Promise<void> {
    const handler = (request: http.IncomingMessage, response: http.ServerResponse) => this.#handle(request, response)
    const server =
      this.#options.tls === undefined ? http.createServer(handler) : https.createServer(this.#options.tls, handler)
    if (this.#options.keepAliveTimeout !== undefined) server.keepAliveTimeout = this.#options.keepAliveTimeout
    server.on(this.#options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      this.#sockets.set(socket, this.connections++)
      socket.on("close", () => this.#sockets.delete(socket))
      socket.on("error", () => {})
    })
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(this.#port, this.#options.host ?? "127.0.0.1", resolve)
    })
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  #handle(incoming: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Array<Buffer> = []
    incoming.on("error", () => {})
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => {
      const wire = Buffer.concat(chunks)
      const encoding = String(incoming.headers["content-type"]).startsWith("application/json") ? "json" : "protobuf"
      let body: Buffer = wire
      let traces: ReceivedTraces | undefined
      let malformed: unknown
      try {
        if (incoming.headers["content-encoding"] === "gzip") body = gunzipSync(wire)
        traces = encoding === "json" ? decodeJson(body) : decodeProtobuf(body)
      } catch (error) {
        malformed = error
      }
      const request: ReceivedRequest & { answered: number | undefined } = {
        index: this.requests.length,
        at: performance.now() - this.#made,
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        headers: incoming.headers,
        encoding,
        wireBytes: wire.length,
        bytes: body.length,
        traces,
        malformed,
        connection: this.#sockets.get(incoming.socket) ?? -1,
        answered: undefined
      }
      this.requests.push(request)
      response.on("finish", () => {
        request.answered = response.statusCode
      })
      const answer = this.#next.shift() ?? this.#answer
      answer({
        request,
        response,
        socket: incoming.socket,
        accept: () => {
          if (traces !== undefined) for (const span of traces.spans) this.spans.push(span)
        }
      })
      for (const check of this.#waiting) check()
    })
  }
}

/** A receiver that lives as long as the scope. */
export const scoped = (options?: OtlpReceiverOptions): Effect.Effect<OtlpReceiver, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => OtlpReceiver.make(options)),
    (receiver) => Effect.promise(() => receiver.close())
  )
