import { describe, expect, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { maskUrl, parseEndpoint } from "../../../src/internal/config/endpoint.ts"

const urlOf = (text: string, form: "base" | "traces" = "base"): string => {
  const parsed = parseEndpoint(text, form)
  return typeof parsed === "string" ? `refused: ${parsed}` : Redacted.value(parsed.endpoint.url)
}

describe("parseEndpoint", () => {
  it.each([
    ["http://localhost:4318", "http://localhost:4318/v1/traces"],
    ["http://localhost:4318/", "http://localhost:4318/v1/traces"],
    ["http://localhost:4318///", "http://localhost:4318/v1/traces"],
    ["https://otlp.example.com/otlp/", "https://otlp.example.com/otlp/v1/traces"],
    ["http://collector:4318/base?tenant=a", "http://collector:4318/base/v1/traces?tenant=a"],
    ["http://collector:4318/base#part", "http://collector:4318/base/v1/traces"],
    ["HTTPS://Collector:4318", "https://collector:4318/v1/traces"],
    ["localhost:4318", "http://localhost:4318/v1/traces"],
    ["collector.internal:4318/base/", "http://collector.internal:4318/base/v1/traces"],
    ["127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"],
    ["[::1]:4318", "http://[::1]:4318/v1/traces"],
    ["http://[::1]:4318", "http://[::1]:4318/v1/traces"],
    ["http://[2001:db8::1]:4318/x", "http://[2001:db8::1]:4318/x/v1/traces"],
    ["http://bücher.example:4318", "http://xn--bcher-kva.example:4318/v1/traces"]
  ])("base %s", (text, url) => {
    expect(urlOf(text)).toBe(url)
  })

  it.each([
    ["http://collector:4318", "http://collector:4318/"],
    ["https://collector.example.com/v1/traces/", "https://collector.example.com/v1/traces/"],
    ["https://collector.example.com/custom?x=1", "https://collector.example.com/custom?x=1"],
    ["collector:4318/custom", "http://collector:4318/custom"]
  ])("traces %s, as it is", (text, url) => {
    expect(urlOf(text, "traces")).toBe(url)
  })

  it.each([
    ["not a url", "it is neither a URL nor host:port"],
    ["collector", "it is neither a URL nor host:port"],
    ["http:collector:4318", "it is neither a URL nor host:port"],
    ["http:/collector:4318", "it is neither a URL nor host:port"],
    ["https//collector:4318", "it is neither a URL nor host:port"],
    ["/var/run/collector.sock", "it is neither a URL nor host:port"],
    ["::1:4318", "it is neither a URL nor host:port"],
    ["collector:port", "it is neither a URL nor host:port"],
    ["http://", "it is not a URL"],
    ["http://collector:99999", "it is not a URL"],
    ["collector:99999", "it is not a URL"],
    ["http://[::1:4318", "it is not a URL"],
    ["http://collector:0", "nothing listens on port 0"],
    ["grpc://collector:4317", "its scheme is grpc"],
    ["unix:///var/run/collector.sock", "its scheme is unix"],
    ["http://%zz:x@collector:4318", "its credentials are not percent-encoded"]
  ])("refuses %s", (text, why) => {
    expect(urlOf(text)).toBe(`refused: ${why}`)
  })

  it("makes credentials a basic authorization, decoded, and takes them out of the URL", () => {
    const parsed = parseEndpoint("https://us%20er:p%40ss@collector:4318?api_key=secret&flag", "base")
    if (typeof parsed === "string") return expect.fail(parsed)
    expect(Redacted.value(parsed.authorization!)).toBe(`Basic ${Buffer.from("us er:p@ss").toString("base64")}`)
    expect(Redacted.value(parsed.endpoint.url)).toBe("https://collector:4318/v1/traces?api_key=secret&flag")
    expect(parsed.endpoint.display).toBe("https://collector:4318/v1/traces?api_key=<redacted>&<redacted>")
  })

  it("sees that the path of traces stands there already", () => {
    for (const [text, doubled] of [
      ["http://collector:4318/v1/traces", true],
      ["http://collector:4318/v1/traces/", true],
      ["http://collector:4318", false]
    ] as const) {
      const parsed = parseEndpoint(text, "base")
      expect(typeof parsed === "string" ? parsed : parsed.doubled).toBe(doubled)
    }
  })

  it.prop("never throws, and what it accepts is http or https", [Schema.String], ([text]) => {
    for (const form of ["base", "traces"] as const) expect(urlOf(text, form)).toMatch(/^(refused: |https?:\/\/)/)
  })
})

describe("maskUrl", () => {
  const word = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9!/:.-]{8,20}$/))

  it.prop("shows no credentials and no query, however broken the URL", [word, word, word], ([user, password, key]) => {
    for (const scheme of ["", "http://", "http:/", "grpc://"]) {
      const masked = maskUrl(`${scheme}${user}:${password}@host:1x?key=${key}`)
      expect(masked).toMatch(/<redacted>@host:1x\?<redacted>$/)
      expect(masked.replaceAll("<redacted>", "")).not.toContain(key)
      // What stands before "://" is a scheme and is shown; a user's name may look like one.
      expect(masked.split("<redacted>")[0]).toMatch(/^([a-z][a-z0-9+.-]*:\/\/)?$/i)
    }
  })
})
