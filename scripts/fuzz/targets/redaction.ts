/** Secrets in texts: made by the rules by which people write them, and looked for in what is left. */
import assert from "node:assert/strict"
import { inspect } from "node:util"
import * as AttributeValue from "../../../src/tracer/AttributeValue.ts"
import * as Limits from "../../../src/tracer/Limits.ts"
import * as Redaction from "../../../src/tracer/Redaction.ts"
import { type Choices, letters } from "../Choices.ts"
import { target } from "../Target.ts"

/** Long enough to be found, and with what makes it look like none of the words around it. */
const secretOf = (choices: Choices): string => `Zq9kV7xT${choices.text(12, letters)}4m`

const names = ["password", "api_key", "access_token", "client_secret", "apiKey", "db.password"]
const parameters = ["token", "api_key", "key", "sig", "X-Amz-Signature", "access_token", "code"]
const headers = ["Authorization", "cookie", "Set-Cookie", "X-Api-Key", "Proxy-Authorization"]

const json = (choices: Choices, secret: string): string => {
  let text = JSON.stringify({ user: "ada", [choices.pick(names)]: secret, n: 1, list: [1, "two"] })
  for (const _ of choices.list(2, () => 0)) text = JSON.stringify({ id: 7, body: text, after: true })
  return text
}

const shapes: ReadonlyArray<(choices: Choices, secret: string) => string> = [
  (choices, s) => `https://ada:${s}@host.example${choices.pick(["", "/", ":8080/a?b=c", "/p#f"])}`,
  (_, s) => `postgres://ada:p@${s}@db/shop`,
  (choices, s) => `https://h/p?page=2&${choices.pick(parameters)}=${s}${choices.pick(["", "&size=3", "#f"])}`,
  (choices, s) => `${choices.pick(headers)}: ${choices.pick(["", "Bearer ", "Basic ", "a="])}${s}\n`,
  json,
  (choices, s) => `${choices.pick(names)}=${s}`,
  (choices, s) => `${choices.pick(names)}="${s}"`,
  (_, s) => `Server=db;Uid=ada;Pwd=${s};`,
  (_, s) => `//ada:${s}@host`,
  (_, s) => `ada:${s}@db.internal:5432`,
  (choices, s) => `https://h/?next=${encodeURIComponent(`https://h/?${choices.pick(parameters)}=${s}&a=1`)}`,
  (_, s) => `?a=${encodeURIComponent(encodeURIComponent(`https://ada:${s}@h/`))}`,
  (choices, s) => `https://h/cb#${choices.pick(parameters)}=${s}`,
  (choices, s) => JSON.stringify({ [choices.pick(names)]: choices.pick<unknown>([[s], { a: s }, [[s, 1]], `a"${s}`]) }),
  (choices, s) => inspect({ a: { [choices.pick(names)]: choices.pick<unknown>([s, [s], { a: s }]) }, n: 1 }),
  (choices, s) => inspect(new Map([[choices.pick(names), s]])),
  (choices, s) => `${choices.pick(names)}: ${s}`,
  (choices, s) => `--${choices.pick(names)} ${s}`,
  (choices, s) => `<${choices.pick(names)}>${s}</x>`,
  (_, s) => `-----BEGIN PRIVATE KEY-----\n${s}\n-----END PRIVATE KEY-----`,
  (_, s) => `bearer ${s}`,
  (_, s) => `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi${s}.${s}`,
  (_, s) => inspect({ headers: { authorization: `Bearer ${s}`, cookie: `a=${s}` } })
]

const sentences = [
  "could not reach",
  "GET /users/7",
  "at handler (file:///app/src/a.ts:12:5)",
  "connect ECONNREFUSED 127.0.0.1:9200",
  "key: value",
  "SELECT * FROM posts WHERE id = $1",
  "ada@example.com",
  "{}",
  "[1, 2]",
  "a=b",
  "12:30:45"
]
const marks = `" ' \\ : :// ? & @ % = < > { [ REDACTED [REDACTED] eyJ Bearer %3D <b> 'x' \n`.split(" ")
const harmless = [...sentences, ...marks]

/** What stands between two pieces: something that ends a word. */
const between = [" ", "\n", " - ", ". ", " | ", "\t"]

const textOf = (choices: Choices) => {
  const secrets: Array<string> = []
  const pieces = choices.list(6, (choices) => {
    if (choices.once(2)) return choices.pick(harmless)
    const secret = secretOf(choices)
    secrets.push(secret)
    return choices.pick(shapes)(choices, secret)
  })
  return { text: pieces.map((piece) => piece + choices.pick(between)).join(""), secrets }
}

const garbage = (choices: Choices) => ({
  text: choices
    .list(40, (choices) =>
      choices.oneOf(
        (choices) => choices.pick(harmless),
        (choices) => choices.text(6)
      )
    )
    .join(""),
  secrets: []
})

const masking = Redaction.make({ maskEmails: true, maskCardNumbers: true })

export const redaction = target({
  name: "redaction",
  claim: "a secret that can be told is in no text that is left, whatever stands around it and wherever it is cut",
  make: (choices) => ({
    ...choices.oneOf<{ text: string; secrets: ReadonlyArray<string> }>(textOf, textOf, garbage),
    limit: choices.pick([8192, 40, 100])
  }),
  check: ({ limit, secrets, text }) => {
    const whole = Redaction.defaults.text(text)
    const cut = AttributeValue.text(text, { limits: Limits.make({ valueLength: limit }), redactor: Redaction.defaults })
    const masked = masking.text(text)
    for (const secret of secrets) {
      // A part of a secret is too much as well.
      for (const left of [whole, cut, masked])
        assert.ok(!left.includes(secret.slice(0, 8)), `left: ${JSON.stringify(left)}`)
    }
    assert.ok(cut.length <= limit && cut.isWellFormed())
    // What stands for a secret may be longer than it was; and what stands around one in a URL in a URL is encoded anew.
    for (const left of [whole, cut, masked]) assert.ok(left.length <= text.length * 12 + 32)
  }
})
