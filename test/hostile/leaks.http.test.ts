/** No secret of a request or a response leaves the process in a span: of a server's, of a client's, whatever fails. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Client from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as AttemptSpan from "../../src/http/AttemptSpan.ts"
import * as HttpClient from "../../src/http/HttpClient.ts"
import * as SemconvStability from "../../src/tracer/SemconvStability.ts"
import { get, start, text } from "../http/serving.ts"
import { makeRecorder, rawRequest } from "../http/wire.ts"
import { leaks, plant, type Planted } from "./support.ts"

/** What the handlers say: it comes from the test, not from the request, whose path is no secret. */
class Said extends Context.Service<Said, { secret: string }>()("test/hostile/Said") {}

/** Everything that can be recorded is: all headers, and the older names too. */
const everything = Layer.mergeAll(
  Layer.succeed(HttpMiddleware.TracerHeaderFilter, constTrue),
  Layer.succeed(Client.TracerHeaderFilter, constTrue),
  Layer.succeed(SemconvStability.CurrentSemconvStability, { httpDup: true, databaseDup: true })
)

const secretHeaders = [
  "Authorization",
  "Proxy-Authorization",
  "Cookie",
  "X-Api-Key",
  "Api-Key",
  "X-Auth-Token",
  "X-Amz-Security-Token",
  "X-Csrf-Token"
]

const secretParameters = [
  "api_key",
  "apikey",
  "key",
  "token",
  "access_token",
  "id_token",
  "code",
  "password",
  "client_secret",
  "sig",
  "Signature",
  "X-Amz-Signature",
  "X-Amz-Credential",
  "X-Amz-Security-Token",
  "X-Goog-Signature",
  "AWSAccessKeyId",
  "user%5Bpassword%5D",
  "api%5Fkey"
]

describe("leaks of HTTP", () => {
  it.live("a server's spans", () =>
    Effect.gen(function* () {
      const routes = Layer.mergeAll(
        get("/ok", Effect.succeed(text("ok"))),
        get(
          "/answers/:with",
          Effect.map(Said, ({ secret }) =>
            HttpServerResponse.text("x", {
              headers: {
                "set-cookie": `a=${secret}; Path=/`,
                "x-api-key": secret,
                location: `https://h/?token=${secret}`
              }
            })
          )
        ),
        get(
          "/fails",
          Effect.flatMap(Said, ({ secret }) => Effect.fail(`https://ada:${secret}@h/`))
        ),
        get(
          "/dies",
          Effect.flatMap(Said, ({ secret }) => Effect.die(new Error(`token=${secret}`)))
        )
      )
      const server = (send: (port: number, secret: string) => Effect.Effect<unknown>) => (secret: string) =>
        Effect.gen(function* () {
          const port = yield* start(routes)
          yield* send(port, secret)
        }).pipe(
          Effect.scoped,
          Effect.provide(everything),
          Effect.provideService(Said, { secret })
        ) as Planted["program"]
      const doors: ReadonlyArray<Planted> = [
        ...secretParameters.map((name) =>
          plant(
            `?${name}`,
            server((port, s) => rawRequest(port, `/ok?page=2&${name}=${s}&size=3`))
          )
        ),
        ...secretParameters.map((name) =>
          plant(
            `?${name}, first, of a path without a route`,
            server((port, s) => rawRequest(port, `/none?${name}=${s}`))
          )
        ),
        ...secretHeaders.map((name) =>
          plant(
            name,
            server((port, s) => rawRequest(port, "/ok", [`${name}: Bearer ${s}`]))
          )
        ),
        plant(
          "credentials in the target",
          server((port, s) => rawRequest(port, `http://ada:${s}@127.0.0.1:${port}/ok`))
        ),
        plant(
          "a referer",
          server((port, s) => rawRequest(port, "/ok", [`Referer: https://h/?access_token=${s}`]))
        ),
        plant(
          "a user agent",
          server((port, s) => rawRequest(port, "/ok", [`User-Agent: x https://ada:${s}@h/`]))
        ),
        plant(
          "a user agent that is cut within it",
          server((port, s) => rawRequest(port, "/ok", [`User-Agent: ${"x".repeat(165)} https://ada:${s}${s}@h/`]))
        ),
        plant(
          "headers of the response",
          server((port) => rawRequest(port, "/answers/1"))
        ),
        plant(
          "a failure",
          server((port) => rawRequest(port, "/fails"))
        ),
        plant(
          "a defect",
          server((port) => rawRequest(port, "/dies"))
        )
      ]
      const found = yield* leaks(doors)
      assert.deepStrictEqual(found.leaks, [])
      assert.strictEqual(found.left.spans.filter((span) => span.kind === 2).length, doors.length)
    }).pipe(Effect.scoped)
  )

  const clients = {
    fetch: HttpClient.layer.pipe(Layer.provide(FetchHttpClient.layer)),
    undici: HttpClient.layer.pipe(Layer.provide(NodeHttpClient.layerUndici)),
    "node:http": HttpClient.layer.pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
  }

  for (const [name, client] of Object.entries(clients)) {
    it.live(`a client's spans: ${name}`, () =>
      Effect.gen(function* () {
        const sending =
          (send: (url: string, secret: string) => Effect.Effect<unknown, unknown, Client.HttpClient>, status = 200) =>
          (secret: string) =>
            // A server that traces nothing: it cannot know which of its parameters was a Redacted.
            Effect.flatMap(makeRecorder, (recorder) => {
              recorder.statuses = [status]
              return send(recorder.url, secret)
            }).pipe(Effect.scoped, Effect.provide(client), Effect.provide(everything)) as Planted["program"]
        const okOnly = Effect.map(Client.HttpClient, Client.filterStatusOk)
        const nowhere = "http://127.0.0.1:1"
        const doors: ReadonlyArray<Planted> = [
          ...secretParameters.flatMap((parameter) => [
            plant(
              `?${parameter}`,
              sending((url, s) => Client.get(`${url}/ok?page=2&${parameter}=${s}&size=3`))
            ),
            plant(
              `?${parameter}, answered with 500`,
              sending((url, s) => Effect.flatMap(okOnly, (client) => client.get(`${url}/bad?${parameter}=${s}`)), 500)
            ),
            plant(
              `?${parameter}, not answered`,
              sending((_, s) => Client.get(`${nowhere}/?${parameter}=${s}`))
            )
          ]),
          ...secretHeaders.map((header) =>
            plant(
              header,
              sending((url, s) => Client.get(`${url}/ok`, { headers: { [header]: `Bearer ${s}` } }))
            )
          ),
          plant(
            "a Redacted parameter",
            sending((url, s) => Client.get(`${url}/ok`, { urlParams: [["plain", Redacted.make(s)]] as never }))
          ),
          plant(
            "a Redacted parameter, answered with 500",
            sending(
              (url, s) =>
                Effect.flatMap(okOnly, (client) =>
                  client.get(`${url}/bad`, { urlParams: [["plain", Redacted.make(s)]] as never })
                ),
              500
            )
          ),
          plant(
            "a Redacted parameter, not answered",
            sending((_, s) => Client.get(`${nowhere}/`, { urlParams: [["plain", Redacted.make(s)]] as never }))
          ),
          plant(
            "a bearer token",
            sending((url, s) =>
              Client.execute(HttpClientRequest.get(`${url}/ok`).pipe(HttpClientRequest.bearerToken(Redacted.make(s))))
            )
          ),
          plant(
            "basic authentication",
            sending((url, s) =>
              Client.execute(
                HttpClientRequest.get(`${url}/ok`).pipe(HttpClientRequest.basicAuth("ada", Redacted.make(s)))
              )
            )
          ),
          plant(
            "credentials",
            sending((url, s) => Client.get(`${url.replace("//", `//ada:${s}@`)}/ok`))
          ),
          plant(
            "credentials, not answered",
            sending((_, s) => Client.get(`http://ada:${s}@127.0.0.1:1/`))
          ),
          plant(
            "credentials of what is no URL",
            sending((_, s) => Client.get(`http://ada:${s}@h:99999/`))
          ),
          plant(
            "a template",
            sending((url, s) =>
              Client.get(`${url}/ok?token=${s}`).pipe(HttpClient.withUrlTemplate("/ok?token={token}"))
            )
          ),
          plant(
            "a body",
            sending((url, s) => Client.post(`${url}/ok`, { body: undefined, headers: { cookie: s } }))
          )
        ]
        const found = yield* leaks(doors)
        assert.deepStrictEqual(found.leaks, [])
        assert.isAtLeast(found.left.spans.filter((span) => span.kind === 3).length, doors.length)
      }).pipe(Effect.scoped)
    )
  }

  it.live("the spans of a client that is not Effect's", () =>
    Effect.gen(function* () {
      const attempt =
        (url: (secret: string) => string, fails = false) =>
        (secret: string) =>
          AttemptSpan.attempt("GET", (told) => {
            told.sentTo(new URL(url(secret)))
            if (fails) return Effect.fail(new Error(`could not reach ${url(secret)}`))
            told.answered(200)
            return Effect.void
          })
      const doors = secretParameters.flatMap((parameter) => [
        plant(
          `?${parameter}`,
          attempt((s) => `https://h/?page=2&${parameter}=${s}&size=3`)
        ),
        plant(
          `?${parameter}, not answered`,
          attempt((s) => `https://h/?${parameter}=${s}`, true)
        ),
        plant(
          `?${parameter}, with credentials`,
          attempt((s) => `https://ada:${s}@h/?${parameter}=${s}`, true)
        )
      ])
      assert.deepStrictEqual((yield* leaks(doors)).leaks, [])
    }).pipe(Effect.scoped)
  )
})
