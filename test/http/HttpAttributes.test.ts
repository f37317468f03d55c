import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as HttpAttributes from "../../src/http/HttpAttributes.ts"
import { defaults } from "../../src/tracer/Redaction.ts"

describe("hosts and addresses", () => {
  it.each([
    ["http://example.com/", "example.com", 80],
    ["https://example.com/", "example.com", 443],
    ["https://example.com:8443/", "example.com", 8443],
    ["http://[::1]:3000/", "::1", 3000],
    ["ws://127.0.0.1/", "127.0.0.1", 80]
  ])("%s", (url, host, port) => {
    assert.deepStrictEqual(HttpAttributes.authorityOf(new URL(url)), { host, port })
  })

  it.each([
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::ffff:7f00:1", "::ffff:7f00:1"],
    ["10.0.0.1", "10.0.0.1"]
  ])("the address %s is shown as %s", (address, shown) => {
    assert.strictEqual(HttpAttributes.plainAddress(address), shown)
  })
})

describe("texts", () => {
  it("are cut, never within a character", () => {
    assert.strictEqual(HttpAttributes.cut("abc", 3), "abc")
    assert.strictEqual(HttpAttributes.cut("abcd", 3), "abc")
    assert.strictEqual(HttpAttributes.cut("ab😀d", 3), "ab")
    assert.strictEqual(HttpAttributes.cut("ab😀d", 4), "ab😀")
  })

  it.each([
    ["/a/b", "/a/b"],
    ["/a?page=2&api_key=s", "/a?page=2&api_key=REDACTED"],
    ["https://ada:pw@example.com/a?sig=s", "https://REDACTED:REDACTED@example.com/a?sig=REDACTED"],
    ["/a?mine=s&page=2", "/a?mine=REDACTED&page=2"]
  ])("%s loses its secrets", (url, shown) => {
    assert.strictEqual(HttpAttributes.redactUrl(url, ["mine"], defaults.text), shown)
  })
})

describe("methods", () => {
  const attributes = (method: string, httpDup: boolean) => {
    const made = new HttpAttributes.Attributes({ httpDup, databaseDup: false })
    made.putMethod(method)
    return made.record
  }

  it("that are not known have no name of their own", () => {
    assert.deepStrictEqual(attributes("GET", false), { "http.request.method": "GET" })
    assert.deepStrictEqual(attributes("GET", true), { "http.request.method": "GET", "http.method": "GET" })
    assert.deepStrictEqual(attributes("PURGE", true), {
      "http.request.method": "_OTHER",
      "http.request.method_original": "PURGE",
      "http.method": "PURGE"
    })
    assert.strictEqual(HttpAttributes.methodInName("PURGE"), "HTTP")
  })
})

describe("failures", () => {
  const span = () =>
    new Tracer.NativeSpan({
      name: "GET",
      parent: Option.none(),
      annotations: Context.empty(),
      links: [],
      startTime: 0n,
      kind: "client",
      sampled: true
    })

  it("do not show values that were given as secrets, encoded or not", () => {
    const ended = span()
    const error = new TypeError("cannot reach http://a/?x=a%20b and http://a/?x=a+b and a b")
    HttpAttributes.endWithFailure(ended, 1n, Cause.fail(error), ["a b", ""])
    assert.strictEqual(ended.status._tag, "Ended")
    const shown =
      ended.status._tag === "Ended" && ended.status.exit._tag === "Failure" ? Cause.pretty(ended.status.exit.cause) : ""
    assert.include(shown, "TypeError")
    assert.notInclude(shown, "a b")
    assert.notInclude(shown, "a+b")
    assert.notInclude(shown, "a%20b")
  })

  it("without secrets are passed as they are", () => {
    const ended = span()
    const cause = Cause.fail("no")
    HttpAttributes.endWithFailure(ended, 1n, cause, [])
    assert.strictEqual(
      ended.status._tag === "Ended" && ended.status.exit._tag === "Failure" && ended.status.exit.cause,
      cause
    )
  })
})
