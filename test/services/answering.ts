/** A server for tests on the wire: writes down what it is sent, and answers as it is told, badly too. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"

/** A request as it came. */
export interface Received {
  readonly method: string
  /** The target as it stood in the request line: nothing is decoded. */
  readonly target: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
  /** The body as JSON; `undefined` where it is none. */
  readonly json: any
}

/** What a server does with a request. */
export type Answer = (received: Received, response: Http.ServerResponse) => void | Promise<void>

/** A server that answers. */
export interface Answering {
  readonly url: string
  readonly port: number
  readonly received: Array<Received>
  /** What it does from now on. */
  answer: Answer
  /** Connections that are open. */
  readonly connections: () => number
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Starts a server on a port of its own. */
export const answering = (answer: Answer): Effect.Effect<Answering, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Http.Server; readonly self: Answering }>((resume) => {
      const sockets = new Set<Net.Socket>()
      const received: Array<Received> = []
      const server = Http.createServer((request, response) => {
        const chunks: Array<Buffer> = []
        response.on("error", () => {})
        request.on("error", () => {})
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          const target = request.url ?? ""
          const question = target.indexOf("?")
          const one: Received = {
            method: request.method ?? "",
            target,
            path: question < 0 ? target : target.slice(0, question),
            query: Object.fromEntries(new URLSearchParams(question < 0 ? "" : target.slice(question))),
            headers: request.headers,
            text,
            json: parse(text)
          }
          received.push(one)
          void Promise.resolve(self.answer(one, response)).catch((error) => {
            response.statusCode = 599
            response.end(String(error))
          })
        })
      })
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
      })
      const self: Answering = { url: "", port: 0, received, answer, connections: () => sockets.size }
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        Object.assign(self, { port, url: `http://127.0.0.1:${port}` })
        resume(Effect.succeed({ server, self }))
      })
    }),
    ({ server }) =>
      Effect.callback<void>((resume) => {
        server.closeAllConnections()
        server.close(() => resume(Effect.void))
      })
  ).pipe(Effect.map(({ self }) => self))

/** Answers with JSON. */
export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
  }

/** Answers with a text. */
export const text =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "text/plain", ...headers }).end(body)
  }

/** Breaks the connection. */
export const reset: Answer = (_, response) => {
  response.socket?.destroy()
}

/** Never answers. */
export const hang: Answer = () => {}

/** Sends the headers and a part of the body, and nothing more. */
export const stall: Answer = (_, response) => {
  response.writeHead(200, { "content-type": "application/json" })
  response.write('{"half":')
}

/** Breaks the connection in mid-body. */
export const truncate: Answer = (_, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
  response.write('{"half":', () => response.socket?.destroy())
}

/** One answer after the other; the last one stays. */
export const inTurn = (...answers: ReadonlyArray<Answer>): Answer => {
  let next = 0
  return (received, response) => answers[Math.min(next++, answers.length - 1)]!(received, response)
}

/** Waits until a condition holds, at most for a time. Gives the milliseconds that it took. */
export const waitUntil = (condition: () => boolean, atMost = 2000): Effect.Effect<number> =>
  Effect.gen(function* () {
    const start = performance.now()
    while (!condition()) {
      if (performance.now() - start > atMost) return yield* Effect.die(new Error("it does not come to hold"))
      yield* Effect.sleep("5 millis")
    }
    return performance.now() - start
  })
