/** No secret leaves the process: each is let in by every door there is, and looked for behind every way out. */
import { assert, describe, it } from "@effect/vitest"
import * as Otel from "@opentelemetry/api"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"
import * as TraceAttributes from "../../src/tracer/TraceAttributes.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { inspect } from "node:util"
import { leaks, leaving, plant, type Planted, secret, waysOf } from "./support.ts"

class ShopError extends Data.TaggedError("ShopError")<{ readonly message: string; readonly cause?: unknown }> {}

type Program = Planted["program"]

const remote = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true })

const otelSpan = (use: (span: Otel.Span) => void): Program =>
  Effect.sync(() => {
    const span = Otel.trace.getTracer("library").startSpan("library.work")
    use(span)
    span.end()
  })

/** Ways for a text to get into a span. */
const textDoors: Readonly<Record<string, (text: string) => Program>> = {
  "an attribute": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: text } })),
  "an attribute made late": (text) => Effect.void.pipe(withSpan("work", { attributes: () => ({ note: text }) })),
  "an attribute of Effect's withSpan": (text) =>
    Effect.void.pipe(Effect.withSpan("work", { attributes: { note: text } })),
  "an attribute of the current span": (text) => Effect.annotateCurrentSpan("note", text).pipe(Effect.withSpan("work")),
  "an attribute of all spans": (text) => Effect.void.pipe(Effect.withSpan("work"), Effect.annotateSpans("note", text)),
  "an attribute of the request": (text) =>
    TraceAttributes.provide(
      Effect.andThen(TraceAttributes.annotate("note", text), Effect.void.pipe(Effect.withSpan("work")))
    ),
  "a list": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: ["a", text] } })),
  "a list of several kinds": (text) =>
    Effect.void.pipe(withSpan("work", { attributes: { note: [1, { deep: [text] }] } })),
  "a set": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: new Set([text]) } })),
  "a map": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: new Map([["a", { b: text }]]) } })),
  "a key of a map": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: new Map([[text, 1]]) } })),
  "an object": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: { a: { b: [{ c: text }] } } } })),
  "an object's own JSON": (text) =>
    Effect.void.pipe(withSpan("work", { attributes: { note: { toJSON: () => ({ a: text }) } } })),
  "an error as attribute": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: new Error(text) } })),
  "an option": (text) => Effect.void.pipe(withSpan("work", { attributes: { note: Option.some(text) } })),
  "a span's name": (text) => Effect.void.pipe(Effect.withSpan(text)),
  "an event's name": (text) =>
    Effect.flatMap(Effect.currentSpan, (span) => Effect.sync(() => span.event(text, 0n))).pipe(Effect.withSpan("work")),
  "an event's attribute": (text) =>
    Effect.flatMap(Effect.currentSpan, (span) => Effect.sync(() => span.event("e", 0n, { note: text }))).pipe(
      Effect.withSpan("work")
    ),
  "a link's attribute": (text) =>
    Effect.void.pipe(Effect.withSpan("work", { links: [{ span: remote, attributes: { note: text } }] })),
  "a log message": (text) => Effect.log(text).pipe(Effect.withSpan("work")),
  "a log message's object": (text) => Effect.log("said", { a: { b: text } }).pipe(Effect.withSpan("work")),
  "a log annotation": (text) => Effect.log("said").pipe(Effect.annotateLogs("note", text), Effect.withSpan("work")),
  "the cause of a log line": (text) =>
    Effect.logError("said", Cause.fail(new Error(text))).pipe(Effect.withSpan("work")),
  "a failure's message": (text) => Effect.fail(new ShopError({ message: text })).pipe(Effect.withSpan("work")),
  "a failure that is a text": (text) => Effect.fail(text).pipe(Effect.withSpan("work")),
  "a failure that is an object": (text) => Effect.fail({ a: { b: text } }).pipe(Effect.withSpan("work")),
  "a failure's cause": (text) =>
    Effect.fail(new ShopError({ message: "no", cause: new Error(text) })).pipe(Effect.withSpan("work")),
  "the cause of a failure's cause": (text) =>
    Effect.fail(new ShopError({ message: "no", cause: new Error("why", { cause: { said: text } }) })).pipe(
      Effect.withSpan("work")
    ),
  "a defect": (text) => Effect.die(new TypeError(text)).pipe(Effect.withSpan("work")),
  "a defect that is an object": (text) => Effect.die({ a: text }).pipe(Effect.withSpan("work")),
  "a stack": (text) =>
    Effect.suspend(() => {
      const error = new Error("no")
      error.stack = `Error: no\n    at ${text} (file.ts:1:1)`
      return Effect.fail(error)
    }).pipe(Effect.withSpan("work")),
  "an error's name": (text) =>
    Effect.fail(Object.assign(new Error("no"), { name: text })).pipe(Effect.withSpan("work")),
  "one of several failures": (text) =>
    Effect.failCause(Cause.combine(Cause.fail("first"), Cause.die(new Error(text)))).pipe(Effect.withSpan("work")),
  "an attribute of OpenTelemetry's API": (text) => otelSpan((span) => span.setAttribute("note", text)),
  "an event of OpenTelemetry's API": (text) => otelSpan((span) => span.addEvent(text, { note: text })),
  "an exception of OpenTelemetry's API": (text) => otelSpan((span) => span.recordException(new Error(text))),
  "a status of OpenTelemetry's API": (text) => otelSpan((span) => span.setStatus({ code: 2, message: text })),
  "a link of OpenTelemetry's API": (text) =>
    otelSpan((span) => span.addLink({ context: { ...span.spanContext() }, attributes: { note: text } })),
  "a new name of OpenTelemetry's API": (text) => otelSpan((span) => span.updateName(text))
}

/** Texts in which a secret stands so that it can be told. */
const shapes: Readonly<Record<string, (secret: string) => string>> = {
  "the password of a URL": (s) => `could not reach https://ada:${s}@host:8080/a?b=c`,
  "the user of a URL": (s) => `https://${s}@host/`,
  "a password with an @": (s) => `postgres://ada:p@${s}@host/db`,
  "a query parameter": (s) => `GET /x?page=2&api_key=${s}&size=3`,
  "an S3 signature": (s) => `https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=${s}&X-Amz-Credential=${s}%2Feu`,
  "an older S3 signature": (s) => `https://b.s3.amazonaws.com/k?AWSAccessKeyId=${s}&Signature=${s}&Expires=1`,
  "a signature of Azure": (s) => `https://x.blob.core.windows.net/c?sv=2022&sig=${s}`,
  Authorization: (s) => `sent Authorization: Bearer ${s}`,
  "Authorization of another scheme": (s) => `authorization: Custom ${s}`,
  Cookie: (s) => `Cookie: theme=dark; connect.sid=${s}`,
  "Set-Cookie": (s) => `Set-Cookie: a=${s}; Path=/; HttpOnly`,
  "X-Api-Key": (s) => `X-Api-Key: ${s}`,
  "bearer credentials": (s) => `refused: bearer ${s}`,
  "a JSON Web Token": (s) => `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi${s}In0.c2ln${s}`,
  JSON: (s) => JSON.stringify({ user: { name: "ada", password: s } }),
  "JSON in JSON": (s) => JSON.stringify({ body: JSON.stringify({ clientSecret: s }) }),
  "a connection string": (s) => `Server=db;Uid=ada;Pwd=${s};`,
  "a URL in a URL": (s) => `https://h/?next=https%3A%2F%2Fada%3A${s}%40h%2F%3Ftoken%3D${s}`,
  "a printed object": (s) => inspect({ "db.password": s, headers: { "set-cookie": [`a=${s}`, `b=${s}`] } }),
  "a header of another name": (s) => `X-Vault-Token: ${s}`,
  "a private key": (s) => `-----BEGIN PRIVATE KEY-----\n${s}\n-----END PRIVATE KEY-----`,
  "words of libpq": (s) => `host=db user=ada password=${s} dbname=shop`
}

describe("leaks", () => {
  it.live("what is no secret does leave, by every way and through every door", () =>
    Effect.gen(function* () {
      const doors = Object.entries(textDoors).map(([door, make]) => plant(door, (text) => make(`plain ${text}`)))
      const left = yield* leaving(Effect.forEach(doors, ({ program }) => Effect.exit(program)))
      const always = ["protobuf", "json", "spool", "OpenTelemetry exporter"]
      for (const { door, secret } of doors) {
        assert.includeMembers([...waysOf(left, secret)], always, door)
      }
      const shown = doors.filter(({ secret }) => waysOf(left, secret).includes("console tree"))
      assert.isAbove(shown.length, doors.length / 2)
    }).pipe(Effect.scoped)
  )

  for (const [shape, text] of Object.entries(shapes)) {
    it.live(`in a text: ${shape}`, () =>
      Effect.gen(function* () {
        const doors = Object.entries(textDoors).map(([door, make]) => plant(door, (secret) => make(text(secret))))
        const found = yield* leaks(doors)
        assert.deepStrictEqual(found.leaks, [])
        assert.isAtLeast(found.left.spans.length, doors.length)
      }).pipe(Effect.scoped)
    )
  }

  it.live("a Redacted value, wherever it stands", () =>
    Effect.gen(function* () {
      const inAttribute = (value: (hidden: Redacted.Redacted) => unknown) => (text: string) =>
        Effect.void.pipe(withSpan("work", { attributes: { note: value(Redacted.make(text)) } }))
      const doors = [
        plant(
          "alone",
          inAttribute((hidden) => hidden)
        ),
        plant(
          "in a list",
          inAttribute((hidden) => [hidden, "a"])
        ),
        plant(
          "in an object",
          inAttribute((hidden) => ({ a: { b: hidden } }))
        ),
        plant(
          "in a map",
          inAttribute((hidden) => new Map([["a", hidden]]))
        ),
        plant(
          "as a map's key",
          inAttribute((hidden) => new Map([[hidden, 1]]))
        ),
        plant(
          "in a set",
          inAttribute((hidden) => new Set([hidden]))
        ),
        plant(
          "in an option",
          inAttribute((hidden) => Option.some(hidden))
        ),
        plant("as an event's attribute", (text) =>
          Effect.flatMap(Effect.currentSpan, (span) =>
            Effect.sync(() => span.event("e", 0n, { note: Redacted.make(text), deep: { note: Redacted.make(text) } }))
          ).pipe(Effect.withSpan("work"))
        ),
        plant("in a failure", (text) => Effect.fail({ key: Redacted.make(text) }).pipe(Effect.withSpan("work"))),
        plant("in a failure's text", (text) => Effect.fail(`no ${Redacted.make(text)}`).pipe(Effect.withSpan("work"))),
        plant("as a log message", (text) =>
          Effect.log(Redacted.make(text), { a: Redacted.make(text) }).pipe(Effect.withSpan("work"))
        ),
        plant("as a log annotation", (text) =>
          Effect.log("x").pipe(Effect.annotateLogs("note", Redacted.make(text)), Effect.withSpan("work"))
        )
      ]
      assert.deepStrictEqual((yield* leaks(doors)).leaks, [])
    }).pipe(Effect.scoped)
  )

  it.live("a value of any kind under a key that looks like a secret", () =>
    Effect.gen(function* () {
      const keys = [
        "password",
        "db.password",
        "userPassword",
        "X-API-Key",
        "apiKey",
        "client_secret",
        "access-token",
        "refreshToken",
        "Authorization",
        "http.request.header.authorization",
        "http.request.header.cookie",
        "http.response.header.set-cookie",
        "private_key",
        "credentials",
        "db.query.parameter.0",
        "db.query.parameter.email"
      ]
      const doors = keys.flatMap((key) => [
        plant(`${key}: attribute`, (text) => Effect.void.pipe(withSpan("work", { attributes: { [key]: text } }))),
        plant(`${key}: object`, (text) => Effect.void.pipe(withSpan("work", { attributes: { [key]: { a: [text] } } }))),
        plant(`${key}: list`, (text) => Effect.void.pipe(withSpan("work", { attributes: { [key]: [text] } }))),
        plant(`${key}: bytes`, (text) =>
          Effect.void.pipe(withSpan("work", { attributes: { [key]: Buffer.from(text) } }))
        ),
        plant(`${key}: deep`, (text) =>
          Effect.void.pipe(withSpan("work", { attributes: { request: { a: [{ [key]: { b: text } }] } } }))
        ),
        plant(`${key}: map`, (text) =>
          Effect.void.pipe(withSpan("work", { attributes: { request: new Map([[key, text]]) } }))
        ),
        plant(`${key}: event`, (text) =>
          Effect.flatMap(Effect.currentSpan, (span) => Effect.sync(() => span.event("e", 0n, { [key]: text }))).pipe(
            Effect.withSpan("work")
          )
        ),
        plant(`${key}: link`, (text) =>
          Effect.void.pipe(Effect.withSpan("work", { links: [{ span: remote, attributes: { [key]: text } }] }))
        ),
        plant(`${key}: log annotation`, (text) =>
          Effect.log("x").pipe(Effect.annotateLogs(key, text), Effect.withSpan("work"))
        ),
        plant(`${key}: log message`, (text) => Effect.log({ [key]: text }).pipe(Effect.withSpan("work"))),
        plant(`${key}: failure`, (text) => Effect.fail({ [key]: text }).pipe(Effect.withSpan("work"))),
        plant(`${key}: failure's cause`, (text) =>
          Effect.fail(new ShopError({ message: "no", cause: { [key]: text } })).pipe(Effect.withSpan("work"))
        ),
        plant(`${key}: OpenTelemetry's API`, (text) => otelSpan((span) => span.setAttribute(key, text)))
      ])
      assert.deepStrictEqual((yield* leaks(doors)).leaks, [])
    }).pipe(Effect.scoped)
  )

  it.live("names of one's own, and a function that sees everything last", () =>
    Effect.gen(function* () {
      const named = (key: string) => (text: string) =>
        Effect.void.pipe(withSpan("work", { attributes: { [key]: text, deep: { [key]: text } } }))
      const doors = [
        plant("a name", named("shop.voucher")),
        plant("a name in another case", named("Shop.Voucher")),
        plant("a pattern", named("internal.note")),
        plant("a parameter", (text) =>
          Effect.void.pipe(withSpan("work", { attributes: { "url.full": `https://h/?voucher=${text}` } }))
        ),
        plant("a function", (text) => Effect.void.pipe(withSpan("work", { attributes: { odd: `drop ${text}` } }))),
        plant("a function that throws", (text) =>
          Effect.void.pipe(withSpan("work", { attributes: { odd: `throw ${text}` } }))
        ),
        plant("a function, in an event", (text) =>
          Effect.flatMap(Effect.currentSpan, (span) =>
            Effect.sync(() => span.event("e", 0n, { odd: `drop ${text}` }))
          ).pipe(Effect.withSpan("work"))
        )
      ]
      const found = yield* leaks(doors, {
        redaction: {
          keys: ["shop.voucher", /^internal\./g],
          parameters: ["voucher"],
          redact: (key, value) => {
            if (key !== "odd" || typeof value !== "string") return value
            if (value.startsWith("throw")) throw new Error(value)
            return undefined
          }
        }
      })
      assert.deepStrictEqual(found.leaks, [])
    }).pipe(Effect.scoped)
  )

  it.live("e-mail addresses and card numbers in free text, where asked for", () =>
    Effect.gen(function* () {
      const mails = ["ada.lovelace+shop@mail.example.co.uk", "x_1%y@sub-domain.example"]
      const cards = ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"]
      const program = Effect.forEach(
        Object.values(textDoors),
        (door) => Effect.exit(door(`from ${mails.join(" and ")} paid by ${cards.join(", ")} order 1234567890123456`)),
        { discard: true }
      )
      const left = yield* leaving(program, { redaction: { maskEmails: true, maskCardNumbers: true } })
      for (const text of [...mails, ...cards]) assert.deepStrictEqual(waysOf(left, text), [], text)
      // A number that is no card's stays.
      assert.include(left.ways["protobuf"]!.toString("latin1"), "order 1234567890123456")
      const shown = yield* leaving(program)
      for (const text of [...mails, ...cards]) assert.include([...waysOf(shown, text)], "protobuf", text)
    }).pipe(Effect.scoped)
  )

  it.live("what the exporter is told: headers, credentials and the query of its URL", () =>
    Effect.gen(function* () {
      const [header, hidden, password, query] = [secret(), secret(), secret(), secret()]
      const left = yield* leaving(
        Effect.flatMap(Effect.log("x"), () => Effect.fail("no")).pipe(Effect.withSpan("work")),
        {
          headers: { "x-scope": header, authorization: Redacted.make(`Bearer ${hidden}`) },
          tracesEndpoint: `http://ada:${password}@127.0.0.1:1/v1/traces?team=${query}`,
          shutdownTimeout: "200 millis",
          flushMillis: 200
        }
      )
      assert.isAbove(left.lines.filter((line) => line.includes("takes no spans")).length, 0)
      for (const text of [header, hidden, password, query]) assert.deepStrictEqual(waysOf(left, text), [])
    }).pipe(Effect.scoped)
  )
})
