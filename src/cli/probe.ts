/**
 * Questions to a network, one each, with answers that are data: nothing here rejects. Requests are made the way the exporter
 * makes its own (`export/HttpTransport.ts`): no proxy, no redirect, the same certificates.
 *
 * @internal
 */
import { lookup } from "node:dns/promises"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { messageOf } from "../export/Diagnostics.ts"
import type { TlsOptions } from "../export/HttpTransport.ts"

/** Why there is no answer: the system's code (`ECONNREFUSED`), or `TIMEOUT`. */
export interface Failure {
  readonly _tag: "Failure"
  readonly code: string
  readonly message: string
}

const failure = (error: unknown): Failure => {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const code = (first as { readonly code?: unknown } | null)?.code
  return { _tag: "Failure", code: typeof code === "string" ? code : "UNKNOWN", message: messageOf(error) }
}

const timedOut = (millis: number): Failure => ({
  _tag: "Failure",
  code: "TIMEOUT",
  message: `no answer within ${millis} ms`
})

/** A host as `node:net` wants it: an IPv6 address without its brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "")

export const portOf = (url: URL): number =>
  url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port)

export const resolveName = async (
  host: string
): Promise<{ readonly _tag: "Resolved"; readonly addresses: ReadonlyArray<string> } | Failure> => {
  try {
    const found = await lookup(host, { all: true })
    return { _tag: "Resolved", addresses: found.map(({ address }) => address) }
  } catch (error) {
    return failure(error)
  }
}

export const connect = (
  host: string,
  port: number,
  millis: number
): Promise<{ readonly _tag: "Connected"; readonly address: string; readonly millis: number } | Failure> =>
  new Promise((resolve) => {
    const start = performance.now()
    const socket = Net.connect({ host, port })
    socket.setTimeout(millis, () => {
      socket.destroy()
      resolve(timedOut(millis))
    })
    socket.on("error", (error) => resolve(failure(error)))
    socket.on("connect", () => {
      resolve({
        _tag: "Connected",
        address: socket.remoteAddress ?? host,
        millis: Math.round(performance.now() - start)
      })
      socket.destroy()
    })
  })

/** A handshake that was completed, whether or not its certificate is trusted. */
export interface Handshake {
  readonly _tag: "Handshake"
  readonly protocol: string
  /** Why the certificate is not trusted; empty where it is. */
  readonly untrusted: string
  readonly subject: string
  /** Milliseconds since the Unix epoch; NaN where it cannot be told. */
  readonly validUntil: number
}

const noTicketMillis = 1_000

export const handshake = (host: string, port: number, tls: TlsOptions, millis: number): Promise<Handshake | Failure> =>
  new Promise((resolve) => {
    const options: Tls.ConnectionOptions = { host, port, rejectUnauthorized: false }
    if (Net.isIP(host) === 0) options.servername = host
    if (tls.ca !== undefined) options.ca = text(tls.ca)
    if (tls.certificate !== undefined) options.cert = text(tls.certificate)
    if (tls.key !== undefined) options.key = text(tls.key)
    let socket: Tls.TLSSocket
    try {
      socket = Tls.connect(options)
    } catch (error) {
      // A certificate or key that is none.
      return resolve(failure(error))
    }
    let done: Handshake | undefined
    const finish = (): void => {
      if (done !== undefined) resolve(done)
      socket.destroy()
    }
    socket.setTimeout(millis, () => {
      socket.destroy()
      resolve(done ?? timedOut(millis))
    })
    // With TLS 1.3 a server refuses a client without certificate after the handshake.
    socket.on("error", (error) => resolve(failure(error)))
    socket.on("close", () => resolve(done ?? failure(new Error("the connection was closed"))))
    socket.on("secureConnect", () => {
      const certificate = socket.getPeerCertificate() as Partial<Tls.PeerCertificate>
      const name = certificate.subject?.CN
      done = {
        _tag: "Handshake",
        protocol: socket.getProtocol() ?? "TLS",
        untrusted: socket.authorized ? "" : codeOf(socket.authorizationError),
        subject: (Array.isArray(name) ? name[0] : name) ?? host,
        validUntil: certificate.valid_to === undefined ? NaN : Date.parse(certificate.valid_to)
      }
      if (done.protocol !== "TLSv1.3") return finish()
      // A ticket says that the client was taken; some servers give none.
      socket.once("session", finish)
      setTimeout(finish, noTicketMillis).unref()
    })
  })

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error
    ? String((error as { readonly code: unknown }).code)
    : String(error)

const text = (pem: string | Uint8Array): string | Buffer => (typeof pem === "string" ? pem : Buffer.from(pem))

/** Whether a server speaks HTTP/2 without TLS, as gRPC does: it greets with settings. */
export const speaksHttp2 = (host: string, port: number, millis: number): Promise<boolean> =>
  new Promise((resolve) => {
    const session = Http2.connect(`http://${Net.isIPv6(host) ? `[${host}]` : host}:${port}`)
    const finish = (answer: boolean): void => {
      clearTimeout(timer)
      resolve(answer)
      session.destroy()
    }
    const timer = setTimeout(() => finish(false), millis)
    session.on("remoteSettings", () => finish(true))
    session.on("error", () => finish(false))
    session.on("close", () => finish(false))
  })

export const speaksTls = async (host: string, port: number, millis: number): Promise<boolean> =>
  (await handshake(host, port, {}, millis))._tag === "Handshake"

/** What a server answered. */
export interface Answer {
  readonly _tag: "Answer"
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  /** At most 64 KiB of it. */
  readonly body: Buffer
  readonly millis: number
  /** The wall clock in the middle of the request: milliseconds since the Unix epoch. */
  readonly at: number
}

export interface RequestOptions {
  readonly method?: "GET" | "POST" | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Uint8Array | undefined
  readonly tls?: TlsOptions | undefined
  readonly millis: number
}

const bodyLimit = 64 * 1024

export const request = (url: string, options: RequestOptions): Promise<Answer | Failure> =>
  new Promise((resolve) => {
    const parsed = new URL(url)
    const module = parsed.protocol === "https:" ? Https : Http
    const start = performance.now()
    const startDate = Date.now()
    const { ca, certificate, key } = options.tls ?? {}
    const secure = parsed.protocol === "https:" ? { ca, cert: certificate, key } : {}
    let agent: Http.Agent | undefined
    try {
      agent = new module.Agent({ keepAlive: false, ...secure } as Https.AgentOptions)
      const sent = module.request(parsed, {
        agent,
        method: options.method ?? "GET",
        headers: {
          ...options.headers,
          ...(options.body === undefined ? {} : { "content-length": options.body.length })
        }
      })
      const timer = setTimeout(() => {
        resolve(timedOut(options.millis))
        sent.destroy()
      }, options.millis)
      sent.on("error", (error) => {
        clearTimeout(timer)
        resolve(failure(error))
      })
      sent.on("response", (response) => {
        const chunks: Array<Buffer> = []
        let bytes = 0
        const answered = (): void => {
          clearTimeout(timer)
          resolve({
            _tag: "Answer",
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
            millis: Math.round(performance.now() - start),
            at: (startDate + Date.now()) / 2
          })
        }
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length
          chunks.push(chunk)
          if (bytes < bodyLimit) return
          answered()
          sent.destroy()
        })
        response.on("end", answered)
        response.on("error", answered)
      })
      sent.end(options.body)
    } catch (error) {
      // Headers that HTTP does not allow, a certificate that is none.
      resolve({ ...failure(error), code: "INVALID" })
    }
  })
