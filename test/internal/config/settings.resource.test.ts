/** The settings of the resource: default, what is accepted, what is not and in which words, which source wins. */
import { describe, expect, it } from "@effect/vitest"
import * as Path from "node:path"
import { load, messageOf, untyped } from "./support.ts"

describe("the resource", () => {
  it("is named after the nearest package.json", () => {
    // The main script is the test runner's, inside node_modules, so that the working directory counts.
    const config = load()
    expect(config.serviceName).toBe("effect-telemetry")
    expect(config.sources.serviceName).toEqual({ from: "default", name: Path.resolve("package.json") })
    expect(config.resourceAttributes).toEqual({ "service.name": "effect-telemetry" })
    expect(config.environment).toBeUndefined()
  })

  it("takes OTEL_SERVICE_NAME and OTEL_ENVIRONMENT; empty and blank are unset", () => {
    const config = load({ OTEL_SERVICE_NAME: " checkout ", OTEL_ENVIRONMENT: "staging" })
    expect(config.serviceName).toBe("checkout")
    expect(config.environment).toBe("staging")
    expect(config.resourceAttributes).toEqual({ "service.name": "checkout", "deployment.environment.name": "staging" })
    expect(config.sources.environment).toEqual({ from: "environment", name: "OTEL_ENVIRONMENT" })
    for (const blank of ["", "  "]) {
      const unset = load({ OTEL_SERVICE_NAME: blank, OTEL_ENVIRONMENT: blank })
      expect(unset.serviceName).toBe("effect-telemetry")
      expect(unset.environment).toBeUndefined()
    }
  })

  it("refuses an empty name in code", () => {
    expect(messageOf({}, { serviceName: "" })).toBe('serviceName: "" is not accepted; expected text that is not empty')
  })

  it("percent-decodes OTEL_RESOURCE_ATTRIBUTES, which may name the service too", () => {
    const config = load({
      OTEL_RESOURCE_ATTRIBUTES:
        "service.name=from%20attributes,deployment.environment.name=prod,team=a%2Cb%3Dc,caf%C3%A9=%E2%9C%93,empty="
    })
    expect(config.serviceName).toBe("from attributes")
    expect(config.environment).toBe("prod")
    expect(config.resourceAttributes).toEqual({
      "service.name": "from attributes",
      "deployment.environment.name": "prod",
      team: "a,b=c",
      café: "✓",
      empty: ""
    })
    expect(config.sources.serviceName).toEqual({ from: "environment", name: "OTEL_RESOURCE_ATTRIBUTES" })
    const named = load({ OTEL_SERVICE_NAME: "wins", OTEL_RESOURCE_ATTRIBUTES: "service.name=loses" })
    expect(named.resourceAttributes).toEqual({ "service.name": "wins" })
  })

  it("falls back where OTEL_RESOURCE_ATTRIBUTES names the service with nothing", () => {
    expect(load({ OTEL_RESOURCE_ATTRIBUTES: "service.name=" }).serviceName).toBe("effect-telemetry")
  })

  it("joins code and environment key by key, code first", () => {
    const config = load(
      { OTEL_SERVICE_NAME: "variable", OTEL_RESOURCE_ATTRIBUTES: "team=environment,region=eu" },
      { resourceAttributes: { team: "code", "service.name": "attribute", replicas: 3, absent: undefined } }
    )
    expect(config.resourceAttributes).toEqual({
      "service.name": "attribute",
      team: "code",
      region: "eu",
      replicas: 3
    })
    expect(config.resourceSources["team"]).toEqual({ from: "code", name: "resourceAttributes" })
    expect(config.resourceSources["region"]).toEqual({ from: "environment", name: "OTEL_RESOURCE_ATTRIBUTES" })
    const strongest = load({}, { serviceName: "option", resourceAttributes: { "service.name": "attribute" } })
    expect(strongest.serviceName).toBe("option")
  })

  it("keeps a key that means something to JavaScript", () => {
    const { resourceAttributes } = load({ OTEL_RESOURCE_ATTRIBUTES: "__proto__=x,constructor=y" })
    expect(Object.entries(resourceAttributes)).toEqual(
      expect.arrayContaining([
        ["__proto__", "x"],
        ["constructor", "y"]
      ])
    )
  })

  it.each([
    ["novalue", '"novalue"', 'entry 1 has no "="'],
    ["a=1,=2", '"=2"', 'entry 2 has no name before "="'],
    ["a=100%", '"a=100%"', "entry 1 is not percent-encoded UTF-8"]
  ])("fails with %s and names the pair", (text, pair, why) => {
    expect(messageOf({ OTEL_RESOURCE_ATTRIBUTES: text })).toBe(
      `OTEL_RESOURCE_ATTRIBUTES: ${pair} is not accepted; expected key=value,key=value, percent-encoded (${why})`
    )
  })

  it("checks attributes in code", () => {
    for (const bad of [{ a: Number.NaN }, { a: null }, { a: ["x", 1] }, { a: {} }, { "": "x" }]) {
      expect(messageOf({}, untyped({ resourceAttributes: bad }))).toContain(
        "expected a record of keys to text, finite numbers, booleans or arrays of one of these (the attribute"
      )
    }
    expect(messageOf({}, untyped({ resourceAttributes: "a=b" }))).toContain("(it is no record)")
  })
})
