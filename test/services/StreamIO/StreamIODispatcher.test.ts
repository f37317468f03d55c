import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { StreamIO } from "../../../src/services/StreamIO/StreamIO.ts"
import * as StreamIOLive from "../../../src/services/StreamIO/StreamIOLive.ts"

/** A server whose connections are counted. It keeps them open for long. */
const counting = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly open: Set<Socket>; readonly close: () => void }>((resume) => {
    const open = new Set<Socket>()
    const server = createServer({ keepAlive: true, keepAliveTimeout: 60_000 }, (request, response) => {
      request.resume()
      response.writeHead(404, { "content-type": "application/json" }).end(`{"code":16,"message":"no","StatusCode":404}`)
    })
    server.on("connection", (socket) => {
      open.add(socket)
      socket.on("close", () => open.delete(socket))
    })
    server.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const close = () => {
        server.close()
        server.closeAllConnections()
      }
      resume(Effect.succeed({ url, open, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const useStream = (url: string) =>
  Effect.flatMap(StreamIO, (stream) => Effect.exit(stream.getFeed({ userId: "ada" }))).pipe(
    Effect.provide(StreamIOLive.layer({ apiKey: "key", apiSecret: "secret", baseUrl: url, retry: { attempts: 1 } }))
  )

const globalAgent = Symbol.for("undici.globalDispatcher.1")
type Globals = Record<symbol, { dispatch: (...args: ReadonlyArray<any>) => boolean; constructor: new (o: any) => any }>

describe("StreamIODispatcher", () => {
  it.live("no connection outlives the layer, and those of the rest of the process stay", () =>
    Effect.gen(function* () {
      const server = yield* counting
      yield* Effect.promise(async () => (await fetch(server.url)).text())
      assert.strictEqual(server.open.size, 1)
      yield* useStream(server.url)
      yield* Effect.sync(() => server.open.size).pipe(
        Effect.delay("5 millis"),
        Effect.repeat({ until: (size) => size === 1 }),
        Effect.timeout("2 seconds")
      )
    }).pipe(Effect.scoped)
  )

  it.live("a dispatcher that the application gave to fetch is used", () =>
    Effect.gen(function* () {
      const server = yield* counting
      yield* Effect.promise(async () => (await fetch(server.url)).text())
      const globals = globalThis as unknown as Globals
      const before = globals[globalAgent]!
      const { constructor: Agent } = before
      const paths: Array<string> = []
      const seeing = (agent: typeof before) => {
        const dispatch = agent.dispatch.bind(agent)
        agent.dispatch = (options, handler) => {
          paths.push(options.path)
          return dispatch(options, handler)
        }
        return agent
      }
      for (const agent of [new Agent({ connect: { rejectUnauthorized: true } }), seeing(new Agent({}))]) {
        yield* Effect.acquireUseRelease(
          Effect.sync(() => {
            globals[globalAgent] = agent
          }),
          () => useStream(server.url),
          () =>
            Effect.sync(() => {
              globals[globalAgent] = before
            })
        )
        // Its connection is still there: it was not the layer's to close.
        yield* Effect.sleep("50 millis")
        assert.isAtLeast(server.open.size, 2)
        yield* Effect.promise(() => agent.destroy())
      }
      assert.lengthOf(paths, 1)
    }).pipe(Effect.scoped)
  )
})
