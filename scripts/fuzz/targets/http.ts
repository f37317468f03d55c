/** A real server with random requests: it answers, has one span for each, and goes on. */
import assert from "node:assert/strict"
import { NodeHttpServer } from "@effect/platform-node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Server from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { createServer } from "node:http"
import * as Net from "node:net"
import * as HttpServer from "../../../src/http/HttpServer.ts"
import * as Propagators from "../../../src/propagation/Propagators.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Choices, hex, printable } from "../Choices.ts"
import { target } from "../Target.ts"

interface Running {
  readonly port: number
  readonly collector: TestTelemetry.Collector
}

const handler = Effect.map(Propagators.inject, (sent) => HttpServerResponse.jsonUnsafe(sent))

const open = async () => {
  const scope = Effect.runSync(Scope.make())
  const served = HttpRouter.serve(HttpRouter.add("GET", "/*", handler), {
    disableListenLog: true,
    disableLogger: true
  }).pipe(
    Layer.provideMerge(HttpServer.layer),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provideMerge(TestTelemetry.layer())
  ) as unknown as Layer.Layer<Server.HttpServer | TestTelemetry.TestTelemetry>
  const context = await Effect.runPromise(Layer.buildWithScope(served, scope))
  const { address } = Context.get(context, Server.HttpServer)
  const resource: Running = {
    port: "port" in address ? address.port : 0,
    collector: Context.get(context, TestTelemetry.TestTelemetry)
  }
  return { resource, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const names = [
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "x-correlation-id",
  "x-request-id",
  "user-agent",
  "x-forwarded-for",
  "__proto__",
  "constructor",
  "cookie",
  "accept",
  "host",
  "content-length",
  "expect",
  "connection"
]

/** Characters of the wire: each is a byte. */
const wire = [...`${printable}\t\u0001\u007f\u0080\u00e9\u00ff`]

const lineOf = (choices: Choices): string => {
  const name = choices.pick(names)
  const id = choices.pick([...hex]).repeat(32)
  const value = choices.oneOf(
    () => `00-${id}-${id.slice(16)}-01`,
    (choices) => choices.text(60, wire),
    (choices) => choices.text(4, wire).repeat(choices.pick([1, 50, 500])),
    () => "a=1,b=2;p,c=%C3%A9"
  )
  return choices.mutated(`${name}: ${value}`, wire)
}

const send = (port: number, request: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = Net.connect(port, "127.0.0.1", () => socket.end(request, "latin1"))
    let text = ""
    socket.setEncoding("latin1")
    socket.setTimeout(15_000, () => socket.destroy())
    socket.on("data", (chunk) => (text += String(chunk)))
    socket.on("error", () => {})
    socket.on("close", () => resolve(text))
  })

const requestOf = (target: string, lines: ReadonlyArray<string>): string =>
  [`GET ${target} HTTP/1.1`, "host: fuzz", "connection: close", ...lines, "", ""].join("\r\n")

const keysBefore = Reflect.ownKeys(Object.prototype).length

export const http = target({
  name: "http",
  claim: "a server answers any request or refuses it, has a span for each that it answers, and no prototype changes",
  make: (choices) => ({ target: choices.mutated("/a?b=c", wire), lines: choices.list(20, lineOf) }),
  open,
  check: async ({ lines, target }, { collector, port }: Running) => {
    collector.clear()
    const text = await send(port, requestOf(target, lines))
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
    assert.ok(status === 0 || (status >= 200 && status < 500), `answered with ${status}`)
    if (status === 200) {
      for (const id of ["x-correlation-id", "x-request-id"]) {
        assert.match(text, new RegExp(`\r\n${id}: [A-Za-z0-9._:/+=@~|-]{1,128}\r\n`, "i"))
      }
      const spans = collector.spans()
      assert.ok(spans.length >= 1, "no span")
      for (const span of spans) {
        assert.match(span.name, /^GET(?: \/\*)?$/)
        assert.ok(span.data.attributeKeys.length <= 20)
        assert.equal(span.status, "unset")
      }
    }
    const after = await send(port, requestOf("/", []))
    assert.match(after, /^HTTP\/1\.1 200/)
    assert.equal(Reflect.ownKeys(Object.prototype).length, keysBefore)
  },
  show: ({ lines, target }) => requestOf(target, lines)
})
