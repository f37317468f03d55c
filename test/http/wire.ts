/** What tests of HTTP need of the wire: requests byte by byte, and a server that writes down what it is sent. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Net from "node:net"

/** What came back over a raw connection. */
export interface RawResponse {
  readonly status: number
  /** Names in lower case. A header that came twice is there twice. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: string
}

/** Sends header lines exactly as they are given, in a request of its own connection. */
export const rawRequest = (
  port: number,
  target: string,
  headerLines: ReadonlyArray<string> = [],
  method = "GET"
): Effect.Effect<RawResponse> =>
  Effect.callback((resume) => {
    const socket = Net.connect(port, "127.0.0.1")
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      text += String(chunk)
    })
    // A server that refuses a request resets its connection, perhaps before everything was read.
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.sync(() => parse(text))))
    socket.write(
      [`${method} ${target} HTTP/1.1`, `host: 127.0.0.1:${port}`, "connection: close", ...headerLines, "", ""].join(
        "\r\n"
      ),
      "latin1"
    )
    return Effect.sync(() => socket.destroy())
  })

const parse = (text: string): RawResponse => {
  const end = text.indexOf("\r\n\r\n")
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n")
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
    body: text.slice(end + 4)
  }
}

/** The values of a header of a raw response. */
export const headerOf = (response: RawResponse, name: string): ReadonlyArray<string> =>
  response.headers.filter(([key]) => key === name).map(([, value]) => value)

/** A request as it came over the wire. */
export interface Received {
  readonly method: string
  readonly target: string
  /** Pairs, in their order, names in lower case. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/** A server that answers with what it is told and writes down what it is sent. */
export interface Recorder {
  readonly port: number
  readonly url: string
  readonly received: Array<Received>
  /** The status of the answers to come; the last one stays. */
  statuses: Array<number>
  /** The `Location` of answers with a 3xx. */
  location: string | undefined
  /** The values of a header of the last request. */
  readonly last: (name: string) => ReadonlyArray<string>
}

/** Starts a recorder on a port of its own. */
export const makeRecorder: Effect.Effect<Recorder, never, Scope.Scope> = Effect.acquireRelease(
  Effect.callback<{ readonly server: Http.Server; readonly recorder: Recorder }>((resume) => {
    const received: Array<Received> = []
    const server = Http.createServer((request, response) => {
      const headers: Array<readonly [string, string]> = []
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        headers.push([request.rawHeaders[i]!.toLowerCase(), request.rawHeaders[i + 1]!])
      }
      received.push({ method: request.method ?? "", target: request.url ?? "", headers })
      const status = recorder.statuses.length > 1 ? recorder.statuses.shift()! : recorder.statuses[0]!
      // A status of 0 stands for a connection that breaks, -1 for an answer that never comes.
      if (status === 0) request.socket.destroy()
      else if (status > 0) {
        const location =
          status >= 300 && status < 400 && recorder.location !== undefined ? { location: recorder.location } : {}
        response.writeHead(status, { "content-type": "text/plain", ...location }).end("recorded")
      }
    })
    const recorder: Recorder = {
      port: 0,
      url: "",
      received,
      statuses: [200],
      location: undefined,
      last: (name) => (received.at(-1)?.headers ?? []).filter(([key]) => key === name).map(([, value]) => value)
    }
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as Net.AddressInfo
      Object.assign(recorder, { port, url: `http://127.0.0.1:${port}` })
      resume(Effect.succeed({ server, recorder }))
    })
  }),
  ({ server }) =>
    Effect.callback<void>((resume) => {
      server.closeAllConnections()
      server.close(() => resume(Effect.void))
    })
).pipe(Effect.map(({ recorder }) => recorder))
