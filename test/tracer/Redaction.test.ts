import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Redaction from "../../src/tracer/Redaction.ts"
import * as SecretNames from "../../src/tracer/SecretNames.ts"
import { withSpan } from "../../src/tracer/withSpan.ts"
import { attributesOf, collect } from "./support.ts"

describe("names that say that their value is a secret", () => {
  it.each(
    [
      ["password", "db.password", "user.passwd", "PWD", "passphrase", "userPassword", "PASSWORD_HASH"],
      ["secret", "client_secret", "clientSecret", "AWS_SECRET_ACCESS_KEY", "aws.secretAccessKey"],
      [
        "token",
        "access_token",
        "accessToken",
        "x-auth-token",
        "refreshToken",
        "id_token",
        "csrfToken",
        "X-Amz-Security-Token"
      ],
      ["authorization", "http.request.header.authorization", "Proxy-Authorization"],
      ["cookie", "set-cookie", "http.response.header.set-cookie", "Cookies"],
      ["api_key", "apiKey", "x-api-key", "X-API-Key", "apikey", "APIKey", "gorse.api.key"],
      ["private_key", "privateKey", "signing-key", "encryption.key", "access_key_id", "ssh_key"],
      ["credentials", "credential", "X-Amz-Credential", "X-Amz-Signature", "Signature", "sig", "jwt", "bearer"],
      ["connection_string", "ConnectionString", "dsn", "PHPSESSID", "connect.sid", "sessionid.session_id"],
      ["credit_card", "cardNumber", "card_number", "cvv", "ssn", "otp", "verification_code"],
      ["db.query.parameter.0", "db.query.parameter.name", "db.operation.parameter.id"]
    ].flat()
  )("%s", (name) => {
    assert.isTrue(SecretNames.isSecret(name))
  })

  it.each(
    [
      ["cache.key", "s3.key", "aws.s3.key", "key", "keyboard", "monkey", "user.id", "session.id", "request.id"],
      ["gen_ai.usage.input_tokens", "token_count", "tokenType", "gen_ai.token.type", "max_tokens", "token.limit"],
      ["author", "authored_by", "post.author", "authority", "passenger", "compass", "bypass", "secretary"],
      ["http.route", "url.path", "feed.type", "signal", "design", "side", "code.function.name", "db.query.text"],
      ["http.request.header.accept", "description", "error.message", "", "."]
    ].flat()
  )("not %s", (name) => {
    assert.isFalse(SecretNames.isSecret(name))
  })

  it("as query parameters, some more", () => {
    for (const name of ["key", "code", "auth", "KEY", "sig", "token", "AWSAccessKeyId", "X-Goog-Signature"]) {
      assert.isTrue(SecretNames.isSecretParameter(name), name)
    }
    for (const name of ["page", "q", "limit", "keys"]) assert.isFalse(SecretNames.isSecretParameter(name), name)
  })

  it.prop("any name is judged", [Schema.String], ([name]) => {
    assert.isBoolean(SecretNames.isSecret(name))
  })
})

const s3 =
  "https://bucket.s3.amazonaws.com/a.mp3?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2024&X-Amz-Date=20240101T000000Z" +
  "&X-Amz-Expires=900&X-Amz-Security-Token=IQoJb3&X-Amz-Signature=abcdef0123&X-Amz-SignedHeaders=host"

const jwt =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

const texts: ReadonlyArray<readonly [string, string, string]> = [
  ["URL with user and password", "https://user:pass@host:80/p", "https://REDACTED:REDACTED@host:80/p"],
  ["URL with a user", "redis://default@host", "redis://REDACTED@host"],
  ["URL with a password alone", "redis://:pass@host", "redis://REDACTED:REDACTED@host"],
  ["URL whose password has an @", "postgres://u:p@ss@host/db", "postgres://REDACTED:REDACTED@host/db"],
  ["URL in a sentence", 'connect to "amqp://a:b@c" failed', 'connect to "amqp://REDACTED:REDACTED@c" failed'],
  [
    "several URLs",
    "http://a:b@c http://d/e http://f:g@h",
    "http://REDACTED:REDACTED@c http://d/e http://REDACTED:REDACTED@h"
  ],
  ["URL with an @ in its path", "https://host/@user/p", "https://host/@user/p"],
  ["URL with an @ in its query", "https://host?mail=a@b", "https://host?mail=a@b"],
  ["plain URL", "https://host:8080/a/b?page=1#f", "https://host:8080/a/b?page=1#f"],
  [
    "query parameters",
    "https://h/p?a=1&token=x&api_key=y&b=2#z",
    "https://h/p?a=1&token=REDACTED&api_key=REDACTED&b=2#z"
  ],
  ["query string alone", "token=x&a=1&key=y", "token=REDACTED&a=1&key=REDACTED"],
  ["empty parameter", "?token=&a=1", "?token=&a=1"],
  ["encoded parameter name", "?%74oken=x", "?%74oken=REDACTED"],
  ["encoded ampersand", "?next=%2Fp%3Ftoken=x", "?next=%2Fp%3Ftoken=REDACTED"],
  ["path with a query", "/callback?code=abc&state=1", "/callback?code=REDACTED&state=1"],
  [
    "S3's signature",
    s3,
    "https://bucket.s3.amazonaws.com/a.mp3?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=REDACTED&X-Amz-Date=20240101T000000Z" +
      "&X-Amz-Expires=900&X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED&X-Amz-SignedHeaders=host"
  ],
  ["other signatures", "https://a/b?se=1&sp=r&sig=x%2B", "https://a/b?se=1&sp=r&sig=REDACTED"],
  ["assignment", "password=hunter2 user=ada", "password=REDACTED user=ada"],
  ["quoted assignment", `secret="a b" and token='c d'`, `secret="REDACTED" and token='REDACTED'`],
  ["connection string", "host=h port=5432 password=p dbname=d", "host=h port=5432 password=REDACTED dbname=d"],
  ["authorization header", "GET / Authorization: Basic dXNlcjpwYXNz", "GET / Authorization: REDACTED"],
  ["headers in lines", "accept: a\r\nCookie: sid=1; b=2\r\nhost: h", "accept: a\r\nCookie: REDACTED\r\nhost: h"],
  ["headers as JSON", '{"Authorization":"Bearer abc","accept":"*/*"}', '{"Authorization":"REDACTED","accept":"*/*"}'],
  ["set-cookie", "set-cookie: sid=abc; Path=/", "set-cookie: REDACTED"],
  ["API key header", "x-api-key: abc", "x-api-key: REDACTED"],
  ["bearer", "sent Bearer abc123def456", "sent Bearer REDACTED"],
  ["basic", "with basic dXNlcjpwYXNzd29yZA==", "with basic REDACTED"],
  [
    "words of a sentence",
    "bearer certificates are basic instruments of trade",
    "bearer certificates are basic instruments of trade"
  ],
  ["web token", `token ${jwt}!`, "token REDACTED!"],
  ["properties", '{"user":"ada","password":"p\\"q","n":1}', '{"user":"ada","password":"REDACTED","n":1}'],
  ["number under a secret property", '{"otp":123456}', '{"otp":"REDACTED"}'],
  [
    "JSON inside of JSON",
    '{"body":"{\\"token\\":\\"abc\\",\\"a\\":1}"}',
    '{"body":"{\\"token\\":\\"REDACTED\\",\\"a\\":1}"}'
  ],
  ["time", "12:30:45", "12:30:45"],
  ["SQL", "SELECT * FROM posts WHERE id = $1 AND a=b", "SELECT * FROM posts WHERE id = $1 AND a=b"],
  ["mail", "ada@example.com wrote", "ada@example.com wrote"],
  ["nothing", "GET /api/v1/feed", "GET /api/v1/feed"]
]

describe("secrets in texts", () => {
  it.each(texts)("%s", (_, text, expected) => {
    assert.strictEqual(Redaction.defaults.text(text), expected)
  })

  it.each(texts)("%s, once more", (_, __, redacted) => {
    assert.strictEqual(Redaction.defaults.text(redacted), redacted)
  })

  it.prop(
    "what stands in a URL's place for credentials is never shown",
    { user: Schema.String, secret: Schema.String },
    ({ user, secret }) => {
      const [name, password] = [user, secret].map((text) => encodeURIComponent(text.toWellFormed()))
      assert.strictEqual(
        Redaction.defaults.text(`https://${name}:${password}@example.org/p?access_token=${password}&a=1#b`),
        `https://REDACTED:REDACTED@example.org/p?access_token=${password === "" ? "" : "REDACTED"}&a=1#b`
      )
    }
  )

  it.prop(
    "any text is searched",
    [Schema.String],
    ([text]) => {
      assert.isString(Redaction.defaults.text(text))
    },
    { arbitrary: { runs: 1000 } }
  )

  it("in time linear in the text", () => {
    const all = Redaction.make({ maskEmails: true, maskCardNumbers: true })
    const size = 200_000
    for (const piece of [
      "a",
      "=",
      ":",
      '"',
      "a=",
      "?a=",
      "://",
      "@",
      "a@",
      "a:",
      '"a":',
      "Bearer ",
      "eyJ",
      "1",
      "1 ",
      " ",
      "\\",
      '\\"',
      "cookie:",
      "%3F",
      "[",
      "a.b.",
      "-",
      "eyJabcdef.",
      "authorization: ",
      "token='",
      'token="'
    ]) {
      const start = performance.now()
      all.text(piece.repeat(size / piece.length))
      // Quadratic time would take minutes.
      assert.isBelow(performance.now() - start, 3000, JSON.stringify(piece))
    }
  })
})

describe("options", () => {
  it("masks e-mail addresses and card numbers in texts", () => {
    const redactor = Redaction.make({ maskEmails: true, maskCardNumbers: true })
    assert.strictEqual(redactor.text("from ada.l+x@example.co.uk, to <b@c.de>"), "from [EMAIL], to <[EMAIL]>")
    assert.strictEqual(redactor.text("not a mail: @user a@b"), "not a mail: @user a@b")
    assert.strictEqual(redactor.text("card 4111 1111 1111 1111 or 5500-0000-0000-0004"), "card [CARD] or [CARD]")
    assert.strictEqual(redactor.text("4111111111111111"), "[CARD]")
    // No valid check digit; too long; a time in milliseconds.
    for (const text of ["4111111111111112", "41111111111111111111", "1700000000000"])
      assert.strictEqual(redactor.text(text), text)
  })

  it("more keys, fewer keys, more parameters", () => {
    const redactor = Redaction.make({
      keys: ["Voucher", /^shop\.secretive/g],
      allow: ["session_token", /^public\./],
      parameters: ["v"]
    })
    for (const key of ["voucher", "shop.secretive.a", "shop.secretive.b", "password"])
      assert.isTrue(redactor.isSecretKey(key), key)
    for (const key of ["session_token", "public.token"]) assert.isFalse(redactor.isSecretKey(key), key)
    assert.strictEqual(
      redactor.text("/p?v=1&session_token=2&token=3&voucher=4"),
      "/p?v=REDACTED&session_token=2&token=REDACTED&voucher=REDACTED"
    )
  })

  it.effect("a function has the last word on each attribute", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { span } = yield* collect(
        Effect.void.pipe(
          withSpan("work", { attributes: { keep: "a", replace: "b", drop: "c", odd: "d", throws: "e", password: "f" } })
        ),
        {
          redaction: {
            redact: (key, value) => {
              seen.push(key)
              if (key === "throws") throw new Error("no")
              if (key === "odd") return { toString: "not a value" } as never
              return key === "drop" ? undefined : key === "replace" ? "B" : value
            }
          }
        }
      )
      assert.deepStrictEqual(attributesOf(span("work")), {
        keep: "a",
        replace: "B",
        odd: '{"toString":"not a value"}',
        throws: "[REDACTED]",
        password: "[REDACTED]"
      })
      assert.notInclude(seen, "password")
    })
  )

  it.effect("switched off, everything is shown but what says itself that it is a secret", () =>
    Effect.gen(function* () {
      const { span } = yield* collect(
        Effect.void.pipe(
          withSpan("work", { attributes: { password: "p", url: "http://a:b@c", own: Redacted.make("x") } })
        ),
        { redaction: false }
      )
      assert.deepStrictEqual(attributesOf(span("work")), { password: "p", url: "http://a:b@c", own: "[REDACTED]" })
    })
  )

  it("remembers a bounded number of keys", () => {
    const redactor = Redaction.make()
    for (let i = 0; i < 100_000; i++) redactor.keyClass(`key.${i}`)
    assert.isTrue(redactor.isSecretKey("password"))
  })
})

const checkNothingShown = Effect.gen(function* () {
  const secret = "hunter2hunter2"
  const url = `https://user:${secret}@host/?token=${secret}`
  const { spans } = yield* collect(
    Effect.gen(function* () {
      const current = yield* Effect.currentSpan
      current.event(`called ${url}`, 0n, { url, password: secret, nested: { authorization: secret } })
      current.addLinks([{ span: current, attributes: { "api.key": secret, url } }])
      return yield* Effect.fail(new Error(`at ${url}`, { cause: new Error(`Authorization: Bearer ${secret}`) }))
    }).pipe(
      withSpan(`call ${url}`, { attributes: { "url.full": url, "db.password": secret, map: { cookie: secret } } })
    )
  )
  const span = spans[0]!
  const everything = JSON.stringify([
    span.name,
    span.attributeKeys,
    span.attributeValues,
    span.events,
    span.linkData,
    span.statusMessage
  ])
  assert.notInclude(everything, secret)
  assert.include(everything, "REDACTED")
  assert.strictEqual(span.statusMessage, "at https://REDACTED:REDACTED@host/?token=REDACTED")
})

describe("a span", () => {
  it.effect("shows no secret anywhere: name, attributes, events, links, status, exceptions", () => checkNothingShown)
})
