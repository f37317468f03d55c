import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { crc32 } from "node:zlib"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Storage } from "../../../src/services/Storage/Storage.ts"
import * as StorageLive from "../../../src/services/Storage/StorageLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"

/** A request that the server got. */
export interface Got {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly socket: Socket
}

/** A server that answers as it is told. */
export interface S3Server {
  readonly url: string
  readonly got: ReadonlyArray<Got>
  /** Waits until no connection is open. */
  readonly allClosed: Effect.Effect<void>
  /** Connections that are open. */
  readonly open: () => number
}

/** Answers a request; `index` counts all requests from 0. */
export type Answer = (response: ServerResponse, request: IncomingMessage, index: number) => void | Promise<void>

/** Starts a server on a free port of loopback. */
export const s3Server = (answer: Answer): Effect.Effect<S3Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<S3Server & { readonly stop: () => void }>((resolve) => {
          const got: Array<Got> = []
          const sockets = new Set<Socket>()
          const waiting: Array<() => void> = []
          const server = createServer((request, response) => {
            const { headers, method = "", socket, url = "" } = request
            const index = got.push({ method, url, headers, socket }) - 1
            void answer(response, request, index)
          })
          server.on("connection", (socket) => {
            sockets.add(socket)
            socket.on("error", () => {})
            socket.on("close", () => {
              sockets.delete(socket)
              if (sockets.size === 0) for (const resume of waiting.splice(0)) resume()
            })
          })
          server.listen(0, "127.0.0.1", () =>
            resolve({
              url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
              got,
              open: () => sockets.size,
              allClosed: Effect.callback<void>((resume) => {
                if (sockets.size === 0) resume(Effect.void)
                else waiting.push(() => resume(Effect.void))
              }),
              stop: () => {
                server.close()
                server.closeAllConnections()
              }
            })
          )
        })
    ),
    ({ stop }) => Effect.sync(stop)
  )

/** An answer with a body of XML. */
export const xml = (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  function (response, request) {
    request.resume()
    const text = body === "" ? "" : `<?xml version="1.0" encoding="UTF-8"?>\n${body}`
    response.writeHead(status, { "content-type": "application/xml", "x-amz-request-id": "TX4F9", ...headers })
    response.end(request.method === "HEAD" ? undefined : text)
  }

/** How S3 says what is wrong. */
export const errorXml = (code: string, message: string, more = ""): string =>
  `<Error><Code>${code}</Code><Message>${message}</Message>${more}<RequestId>TX4F9</RequestId><HostId>host</HostId></Error>`

/** One answer after the other; the last one again and again. */
export const inTurn =
  (...answers: ReadonlyArray<Answer>): Answer =>
  (response, request, index) =>
    answers[Math.min(index, answers.length - 1)]!(response, request, index)

/** A program against a server that answers as it is told. */
export const withServer = (
  answer: Answer,
  options: Partial<StorageLive.S3Options>,
  body: (server: S3Server) => Effect.Effect<void, unknown, Storage | TestTelemetry.TestTelemetry | Scope.Scope>
) =>
  Effect.gen(function* () {
    const server = yield* s3Server(answer)
    const live = StorageLive.layer({
      endpoint: server.url,
      bucket: "media",
      credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "the-secret-key", sessionToken: "the-session-token" },
      retry: { baseDelay: "1 millis", jitter: 0 },
      ...options
    })
    yield* body(server).pipe(Effect.scoped, Effect.provide([live, TestTelemetry.layer()]))
  }).pipe(Effect.scoped)

/** Answers with an object. */
export const stored = (body: string, headers: Record<string, string> = {}): Answer =>
  function (response, request) {
    request.resume()
    response.writeHead(200, {
      etag: '"e1"',
      "last-modified": "Wed, 12 Oct 2022 17:50:00 GMT",
      "content-type": "text/plain",
      "content-length": String(Buffer.byteLength(body)),
      "x-amz-request-id": "TX4F9",
      ...headers
    })
    response.end(request.method === "HEAD" ? undefined : body)
  }

/** An operation of each kind. */
export const operations = {
  get: Effect.flatMap(Storage, (storage) => storage.getObject({ key: "k" })),
  head: Effect.flatMap(Storage, (storage) => storage.headObject({ key: "k" })),
  put: Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: "x" })),
  putIf: Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: "x", ifNoneMatch: "*" })),
  putStream: Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: Stream.make(Buffer.from("x")) })),
  delete: Effect.flatMap(Storage, (storage) => storage.deleteObject({ key: "k" })),
  copy: Effect.flatMap(Storage, (storage) => storage.copyObject({ key: "k", source: { key: "s" } })),
  list: Effect.flatMap(Storage, (storage) => Stream.runCollect(storage.listObjects({})))
} as const

export const never: Answer = (_, request) => void request.resume()
/** An answer that begins and does not go on. */
export const begun: Answer = (response, request) => {
  request.resume()
  response.writeHead(200, { etag: '"e1"', "content-length": "100" }).write("<")
}
export const reset: Answer = (_, request) => void request.socket.destroy()
export const ok: Answer = (response, request) => {
  request.resume()
  request.on("end", () => response.writeHead(200, { etag: '"e1"' }).end())
}

export const head = (response: ServerResponse, length: number, headers: Record<string, string> = {}) =>
  response.writeHead(200, {
    etag: '"e1"',
    "last-modified": "Wed, 12 Oct 2022 17:50:00 GMT",
    "content-type": "text/plain",
    "content-length": length,
    ...headers
  })

export const checksum = (body: string) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return { "x-amz-checksum-crc32": bytes.toString("base64") }
}

export const get = Effect.flatMap(Storage, (storage) => Effect.map(storage.getObject({ key: "k" }), Option.getOrThrow))
export const put = Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: "x" }))

/** Waits until something is so. */
export const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1))
  })

/** Waits for a number of requests. */
export const requests = (server: S3Server, count: number) => until(() => server.got.length >= count)

/** Fails where a connection stays open: what is asserted is that it closes, not how fast a machine is. */
export const closed = (server: S3Server) => Effect.timeout(server.allClosed, "5 seconds")
