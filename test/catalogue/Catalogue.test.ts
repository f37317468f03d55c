import { assert, describe, it } from "@effect/vitest"
import * as Catalogue from "../../src/catalogue/Catalogue.ts"
import { events, http, database, services } from "./contract.ts"

const byName = new Map(Catalogue.spans.map((span) => [`${span.kind} ${span.name}`, span]))
const keysOf = (name: string) => byName.get(name)?.attributes.map(({ key }) => key) ?? []

describe("the catalogue", () => {
  it("names every span once", () => {
    assert.strictEqual(byName.size, Catalogue.spans.length)
  })

  it("holds the contract of HTTP and of the database", () => {
    for (const [name, attributes] of Object.entries({ ...http, ...database })) {
      assert.includeMembers(keysOf(name), [...attributes], name)
    }
  })

  for (const [service, { attributes, operations, prefix }] of Object.entries(services)) {
    it(`holds the operations of ${service} and their attributes`, () => {
      const own = Catalogue.spans.filter((span) => span.group === "service" && span.service === service)
      assert.deepStrictEqual(
        own.map((span) => span.name).sort(),
        operations.map((operation) => `${prefix}.${operation}`).sort()
      )
      const all = new Set(own.flatMap((span) => span.attributes.map(({ key }) => key)))
      assert.includeMembers([...all], [...attributes])
      for (const span of own) {
        assert.strictEqual(span.kind, "client")
        assert.includeMembers(
          span.attributes.map(({ key }) => key),
          [
            "external.service",
            "external.operation",
            `${prefix}.operation`,
            "external.retry_count",
            "external.error.retryable",
            "external.circuit_breaker_triggered",
            "error.type"
          ]
        )
      }
    })
  }

  it("holds the business events, no more and no fewer", () => {
    const own = Catalogue.spans.filter((span) => span.group === "event")
    assert.deepStrictEqual(
      Object.fromEntries(own.map((span) => [span.name, span.attributes.map(({ key }) => key).sort()])),
      Object.fromEntries(Object.entries(events).map(([name, attributes]) => [name, [...attributes].sort()]))
    )
  })

  it("counts and sizes are integers, times carry their unit", () => {
    for (const { attributes, name } of Catalogue.spans) {
      for (const { key, type } of attributes) {
        if (/count|size|limit|offset|rows|_bytes|port$/.test(key) && !key.includes("account")) {
          assert.strictEqual(type, "int", `${name}: ${key}`)
        }
        if (/\b(duration|delay|ttl|timeout)\b/.test(key.replaceAll("_", " "))) {
          assert.match(key, /_(ms|seconds)$/, `${name}: ${key}`)
        }
      }
    }
  })
})
