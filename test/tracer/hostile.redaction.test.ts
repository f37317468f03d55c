/** Secrets in the forms in which they stand in real texts, and texts that only look as if they held one. */
import { assert, describe, it } from "@effect/vitest"
import { inspect } from "node:util"
import * as AttributeValue from "../../src/tracer/AttributeValue.ts"
import * as Limits from "../../src/tracer/Limits.ts"
import * as Redaction from "../../src/tracer/Redaction.ts"

const S = "S3cr3tW0rdXy"

const json = JSON.stringify

const texts: Readonly<Record<string, string>> = {
  "a URL without a scheme": `//ada:${S}@host/x`,
  "user, password, host and port": `could not connect to ada:${S}@db.internal:5432`,
  "a password with a slash": `postgres://ada:a/b#${S}@db/shop`,
  "the fragment of a URL": `https://h/cb#access_token=${S}&token_type=bearer`,
  "a fragment alone": `#access_token=${S}&state=1`,
  "a parameter with a comma": `https://h/?token=a,${S}`,
  "a parameter with a bracket": `https://h/?token=a)${S}`,
  "a URL in a URL": `https://h/?next=https%3A%2F%2Fh%2F%3Ftoken%3D${S}`,
  "a URL in a URL in a URL": `?a=https%3A%2F%2Fh%2F%3Fb%3Dhttps%253A%252F%252Fada%253A${S}%2540h%252F`,
  "credentials in a URL in a URL": `?next=https%3A%2F%2Fada%3A${S}%40h%2F`,
  "an encoded parameter alone": `%3Ftoken%3D${S}`,
  "a header as parameter": `authorization=Bearer ${S}`,
  "a digest": `authorization: Digest username="ada", response="${S}"`,
  "other headers with a secret's name": `X-Vault-Token: ${S}`,
  "a subscription's key": `Ocp-Apim-Subscription-Key: ${S}`,
  "a CSRF token": `X-CSRF-Token: ${S}`,
  "a command line's header": `curl -H "X-Vault-Token: ${S}" https://h`,
  "a command line's option": `psql --password ${S} -h db`,
  "a variable of the environment": `PGPASSWORD=${S} psql`,
  "a list in JSON": json({ password: [S] }),
  "an object in JSON": json({ secret: { value: S } }),
  "cookies in JSON": json({ "set-cookie": [`a=${S}`, `b=${S}`] }),
  "JSON with a quote in the secret": json({ password: `a"${S}` }),
  "JSON in JSON, with a quote in the secret": json({ a: json({ password: `x"${S}` }) }),
  "JSON in JSON in JSON": json({ a: json({ b: json({ clientSecret: S }) }) }),
  "JSON that was cut off": json({ privateKey: S.repeat(2) }).slice(0, -2),
  "pretty JSON": JSON.stringify({ password: S }, undefined, 2),
  "pairs of headers": json([
    ["authorization", `Custom ${S}`],
    ["cookie", `a=${S}`]
  ]),
  "a printed object": inspect({ user: { password: S } }),
  "a printed object with quoted keys": inspect({ "db.password": S }),
  "printed headers": inspect({ headers: { "set-cookie": [`a=${S}`, `b=${S}`], authorization: `Custom ${S}` } }),
  "a printed map": inspect(new Map([["password", S]])),
  "a printed text of several lines": inspect({ password: `${"line\n".repeat(20)}${S}` }),
  "a line of YAML": `password: ${S}`,
  "a line of YAML in quotes": `db:\n  password: "${S}"\n  host: db`,
  "an assignment in quotes": `password = '${S}'`,
  "an assignment of a property": `headers["authorization"] = "${S}"`,
  "a hash of Ruby": `:password=>"${S}"`,
  "an element of XML": `<a><password>${S}</password></a>`,
  "a quoted value with a quote in it": `password="a\\"${S}"`,
  "a private key": `-----BEGIN PRIVATE KEY-----\n${S}\n-----END PRIVATE KEY-----`,
  "a private key that was cut off": `-----BEGIN RSA PRIVATE KEY-----\n${S}`,
  "bearer, with a tab": `Bearer\t${S}`,
  "basic, in capitals": `BASIC ${S}`
}

const harmless: ReadonlyArray<string> = [
  "SELECT u.id, u.token FROM users u WHERE u.token = $1 AND password = ? AND s.token = t2.token",
  "UPDATE users SET password = $1, api_key = :key WHERE id = @p1",
  'INSERT INTO "sessions" ("cookie", "authorization") VALUES ($1, $2)',
  "Invalid token: unexpected end of input",
  "SyntaxError: Unexpected token '}' at position 12",
  "Error parsing credentials: file not found",
  "TypeError: Cannot read properties of undefined (reading 'token')",
  "GET /users/:id",
  "at Object.<anonymous> (/app/src/auth/token.ts:12:34)",
  "    at file:///app/node_modules/effect/src/internal/effect.ts:1476:28",
  "connect ECONNREFUSED 127.0.0.1:9200",
  "npm:effect@4.1.0",
  "git@github.com:org/repo.git",
  "user:ada@example.com",
  "mailto:ada@example.com",
  "registry.io:5000/x@sha256:12",
  "https://host:8080/path@2x.png",
  "https://[::1]:4318/x",
  "https://example.com:notaport/x",
  "//cdn.example.com/x@1.0",
  "max_tokens=100 input_tokens: 5",
  '{"usage":{"input_tokens":5},"stop":"token"}',
  '{"token":null,"password":""}',
  "password=",
  "password: null",
  "token_type=bearer expires_in=3600",
  "100% of a=b, 50%40"
]

describe("secrets in texts", () => {
  for (const [form, text] of Object.entries(texts)) {
    it(`are found: ${form}`, () => {
      const left = Redaction.defaults.text(text)
      assert.notInclude(left, S)
      assert.include(left, "REDACTED")
      assert.notInclude(Redaction.defaults.text(`before ${text} after`), S)
      // Wherever it is cut.
      for (let valueLength = 1; valueLength < text.length; valueLength += 7) {
        const rules = { limits: Limits.make({ valueLength }), redactor: Redaction.defaults }
        const cut = AttributeValue.text(text, rules)
        assert.isAtMost(cut.length, valueLength)
        assert.notInclude(cut, S.slice(0, 8))
      }
    })
  }

  for (const text of harmless) {
    it(`are not seen where there are none: ${text}`, () => {
      assert.strictEqual(Redaction.defaults.text(text), text)
    })
  }

  it("take time in proportion to the text", () => {
    const all = Redaction.make({ maskEmails: true, maskCardNumbers: true })
    const pieces = [
      "a:b@",
      "%3D",
      "%253D",
      "<a>",
      "--a ",
      "'cookie','",
      "a.b:1@",
      "password: ",
      "password:[",
      "password: '"
    ]
    for (const piece of [
      ...pieces,
      "x'y':",
      '\\"password\\":\\"',
      "-----BEGIN PRIVATE KEY-----",
      'cookie: a="',
      "//a:"
    ]) {
      const start = performance.now()
      all.text(piece.repeat(200_000 / piece.length))
      // Quadratic time would take minutes.
      assert.isBelow(performance.now() - start, 3000, JSON.stringify(piece))
    }
  })

  it("e-mail addresses of any language, and encoded ones", () => {
    const { text } = Redaction.make({ maskEmails: true })
    for (const mail of ["o'brien@example.com", "müller@example.de", "ada@exämple.de", "ada%40example.com"]) {
      assert.match(text(`from ${mail} today`), /^from (?:\[EMAIL\]|%5BEMAIL%5D) today$/, mail)
    }
  })
})

describe("names", () => {
  it("of any length and form are judged", () => {
    for (const key of [`${"x".repeat(300)}.password`, "password\ud800", "PGPASSWORD", "userpassword", "db_passwords"]) {
      assert.isTrue(Redaction.defaults.isSecretKey(key), key)
      assert.notInclude(AttributeValue.toJson({ [key]: S }, AttributeValue.defaultRules), S, key)
    }
  })
})
