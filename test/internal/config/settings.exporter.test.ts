/** The settings of the exporter: default, what is accepted, what is not and in which words, which source wins. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import type * as TelemetryConfig from "../../../src/TelemetryConfig.ts"
import { headersOf, load, messageOf, millisOf, type Options, untyped, urlOf } from "./support.ts"

let root: string
let file: string
const pem = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n"
beforeAll(() => {
  root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "telemetry-config-"))
  file = Path.join(root, "ca.pem")
  Fs.writeFileSync(file, pem)
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

const maximum = 2_147_483_647

describe("the endpoint", () => {
  const accepted = "an http or https URL, or host:port"

  it("is the local collector's by default", () => {
    const config = load()
    expect(urlOf(config)).toBe("http://localhost:4318/v1/traces")
    expect(config.endpoint.display).toBe("http://localhost:4318/v1/traces")
    expect(config.sources.endpoint).toEqual({ from: "default", name: undefined })
  })

  it("is a base URL, or the full one for traces, which goes first", () => {
    const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318/base/" }
    expect(urlOf(load(base))).toBe("http://collector:4318/base/v1/traces")
    const full = load({ ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://[::1]:9/custom" })
    expect(urlOf(full)).toBe("https://[::1]:9/custom")
    expect(full.sources.endpoint).toEqual({ from: "environment", name: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" })
    expect(urlOf(load({ ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "" }))).toBe(
      "http://collector:4318/base/v1/traces"
    )
  })

  it("in code goes before both variables", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://b:1" }
    const config = load(env, { endpoint: "http://c:1" })
    expect(urlOf(config)).toBe("http://c:1/v1/traces")
    expect(config.sources.endpoint).toEqual({ from: "code", name: "endpoint" })
    expect(urlOf(load(env, { endpoint: "http://c:1", tracesEndpoint: new URL("http://d:1/x") }))).toBe("http://d:1/x")
    expect(urlOf(load(env, { tracesEndpoint: Redacted.make("http://e:1/x") }))).toBe("http://e:1/x")
  })

  it.each([
    ["not a url", "it is neither a URL nor host:port"],
    ["ftp://host:21", "its scheme is ftp"]
  ])("fails with %s", (text, why) => {
    for (const variable of ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]) {
      expect(messageOf({ [variable]: text })).toBe(
        `${variable}: "${text}" is not accepted; expected ${accepted} (${why})`
      )
    }
    expect(messageOf({}, { endpoint: text })).toBe(`endpoint: "${text}" is not accepted; expected ${accepted} (${why})`)
  })

  it("warns of a base URL that ends with the path already", () => {
    const config = load({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/v1/traces" })
    expect(urlOf(config)).toBe("http://collector:4318/v1/traces/v1/traces")
    expect(config.warnings).toEqual([
      "OTEL_EXPORTER_OTLP_ENDPOINT: ends with /v1/traces, which is appended once more; a full URL goes into OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    ])
  })

  it("sends credentials as a header, unless the headers have one", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://user:p%40ss@collector:4318" }
    const config = load(env)
    expect(urlOf(config)).toBe("https://collector:4318/v1/traces")
    expect(headersOf(config)).toEqual({ authorization: `Basic ${Buffer.from("user:p@ss").toString("base64")}` })
    const explicit = load({ ...env, OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20token" })
    expect(headersOf(explicit)).toEqual({ authorization: "Bearer token" })
  })
})

describe("headers", () => {
  it("are none by default", () => {
    expect(load().headers).toEqual({})
  })

  it("are percent-decoded, with names in lower case", () => {
    const config = load({ OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Basic%20dTpw==, X-Scope-OrgID = a%2Cb ,x-empty=" })
    expect(headersOf(config)).toEqual({ authorization: "Basic dTpw==", "x-scope-orgid": "a,b", "x-empty": "" })
    expect(config.sources.headers).toEqual({ from: "environment", name: "OTEL_EXPORTER_OTLP_HEADERS" })
  })

  it("of traces take the place of the general ones, and those of code of both", () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: "x-general=1", OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-traces=1" }
    expect(headersOf(load(env))).toEqual({ "x-traces": "1" })
    expect(headersOf(load(env, { headers: { "X-Code": Redacted.make("1"), "x-plain": "2" } }))).toEqual({
      "x-code": "1",
      "x-plain": "2"
    })
  })

  it("that are the exporter's own are ignored, with a warning", () => {
    const config = load({ OTEL_EXPORTER_OTLP_HEADERS: "Content-Type=text/plain,x-a=1" })
    expect(headersOf(config)).toEqual({ "x-a": "1" })
    expect(config.warnings).toEqual(["OTEL_EXPORTER_OTLP_HEADERS: content-type is the exporter's own and is ignored"])
  })

  const accepted = "name=value,name=value, percent-encoded, with names and values that HTTP allows"
  it.each([
    ["Bearer s3cret", 'entry 1 has no "="'],
    ["x-a=1,=s3cret", 'entry 2 has no name before "="'],
    ["x-a=s3cret%zz", "entry 1 is not percent-encoded UTF-8"],
    ["x s3cret=1", "the name in entry 1 is not a header name"],
    ["x-a=s3cret%0d%0ax-evil:1", "the value of x-a has characters that a header cannot hold"],
    ["x-a=s3cret%E2%9C%93", "the value of x-a has characters that a header cannot hold"]
  ])("fail with %s, and the value is not shown", (text, why) => {
    for (const variable of ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"]) {
      expect(messageOf({ [variable]: text })).toBe(
        `${variable}: <redacted> is not accepted; expected ${accepted} (${why})`
      )
    }
  })

  it("are checked in code", () => {
    const inCode =
      "headers: <redacted> is not accepted; expected a record of header names to text or Redacted text that HTTP allows"
    expect(messageOf({}, { headers: { "x a": "s3cret" } })).toBe(`${inCode} (the name in entry 1 is not a header name)`)
    expect(messageOf({}, { headers: { "x-a": Redacted.make("s3cret\n") } })).toBe(
      `${inCode} (the value of x-a has characters that a header cannot hold)`
    )
    expect(messageOf({}, untyped({ headers: { "x-a": 1 } }))).toBe(`${inCode} (the value of entry 1 is not text)`)
    expect(messageOf({}, untyped({ headers: "x-a=s3cret" }))).toBe(`${inCode} (it is no record)`)
  })
})

describe("the exporter", () => {
  it("has the specification's defaults", () => {
    const config = load()
    expect(config.exporter).toBe("otlp")
    expect(millisOf(config.timeout)).toBe(10_000)
    expect(config.compression).toBe("none")
    expect(config.protocol).toBe("http/protobuf")
  })

  it.each(["otlp", "console", "none", "Console"])("OTEL_TRACES_EXPORTER takes %s", (text) => {
    expect(load({ OTEL_TRACES_EXPORTER: text }).exporter).toBe(text.toLowerCase())
  })

  const words: ReadonlyArray<readonly [string, keyof Options & keyof TelemetryConfig.TelemetryConfig, string, string]> =
    [
      ["COMPRESSION", "compression", "gzip", "one of none, gzip"],
      ["PROTOCOL", "protocol", "http/json", "one of http/protobuf, http/json"]
    ]
  it.each(words)("%s: traces before general, code before both, bad named", (name, option, good, accepted) => {
    const general = `OTEL_EXPORTER_OTLP_${name}`
    const traces = `OTEL_EXPORTER_OTLP_TRACES_${name}`
    expect(load({ [general]: good })[option]).toBe(good)
    // What is shadowed is not looked at: here it would be refused.
    const shadowing = load({ [general]: "grpc", [traces]: good.toUpperCase() })
    expect(shadowing[option]).toBe(good)
    expect(shadowing.sources[option as TelemetryConfig.SettingName]).toEqual({ from: "environment", name: traces })
    expect(load({ [traces]: "grpc" }, untyped({ [option]: good }))[option]).toBe(good)
    expect(messageOf({ [general]: "grpc" })).toBe(`${general}: "grpc" is not accepted; expected ${accepted}`)
    expect(messageOf({ [traces]: "grpc" })).toBe(`${traces}: "grpc" is not accepted; expected ${accepted}`)
    expect(messageOf({}, untyped({ [option]: "x" }))).toBe(`${option}: "x" is not accepted; expected ${accepted}`)
  })

  it("fails with another exporter", () => {
    expect(messageOf({ OTEL_TRACES_EXPORTER: "zipkin" })).toBe(
      'OTEL_TRACES_EXPORTER: "zipkin" is not accepted; expected one of otlp, console, none'
    )
    expect(load({ OTEL_TRACES_EXPORTER: "zipkin" }, { exporter: "none" }).exporter).toBe("none")
  })

  describe("TLS", () => {
    const names = [
      ["CERTIFICATE", "certificate"],
      ["CLIENT_CERTIFICATE", "clientCertificate"],
      ["CLIENT_KEY", "clientKey"]
    ] as const

    it("is unset by default", () => {
      for (const [, option] of names) expect(load()[option]).toBeUndefined()
    })

    it("takes readable files, those of traces first, those of code before", () => {
      const other = Path.join(root, "other.pem")
      Fs.writeFileSync(other, pem)
      const of = (prefix: string, path: string) =>
        Object.fromEntries(names.map(([name]) => [`OTEL_EXPORTER_OTLP_${prefix}${name}`, path]))
      const general = load(of("", file))
      const traces = load({ ...of("", "/none"), ...of("TRACES_", other) })
      const code = load(of("", "/none"), { certificate: other, clientCertificate: other, clientKey: other })
      for (const [, option] of names) {
        expect(general[option]).toBe(file)
        expect(traces[option]).toBe(other)
        expect(code[option]).toBe(other)
      }
    })

    it("makes paths absolute", () => {
      const relative = Path.relative(process.cwd(), file)
      expect(load({ OTEL_EXPORTER_OTLP_CERTIFICATE: relative }).certificate).toBe(file)
    })

    it("fails where a file cannot be read, and only where it would be", () => {
      const env = { OTEL_EXPORTER_OTLP_CERTIFICATE: "/none/ca.pem" }
      expect(messageOf(env)).toBe(
        'OTEL_EXPORTER_OTLP_CERTIFICATE: "/none/ca.pem" is not accepted; expected the path of a readable PEM file (it cannot be read: ENOENT)'
      )
      expect(messageOf({ OTEL_EXPORTER_OTLP_CERTIFICATE: root })).toContain("(it is not a file)")
      expect(messageOf({ OTEL_EXPORTER_OTLP_CERTIFICATE: "package.json" })).toContain(
        "(it has no -----BEGIN CERTIFICATE----- in it)"
      )
      expect(load({ ...env, OTEL_TRACES_EXPORTER: "console" }).certificate).toBe("/none/ca.pem")
      expect(load({ ...env, OTEL_ENABLED: "false" }).certificate).toBe("/none/ca.pem")
    })

    it("wants certificate and key together", () => {
      expect(messageOf({ OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: file })).toBe(
        `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "${file}" is not accepted; expected its private key in OTEL_EXPORTER_OTLP_CLIENT_KEY too`
      )
      expect(messageOf({}, { clientKey: file })).toBe(
        `clientKey: "${file}" is not accepted; expected its certificate in clientCertificate too`
      )
    })
  })
})

describe("milliseconds", () => {
  const timeout = `milliseconds, an integer from 0 to ${maximum}; 0 means no limit`
  const cases = [
    ["timeout", "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, maximum, timeout],
    ["timeout", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", 10_000, maximum, timeout],
    ["exportTimeout", "OTEL_BSP_EXPORT_TIMEOUT", 30_000, maximum, timeout],
    ["scheduleDelay", "OTEL_BSP_SCHEDULE_DELAY", 5000, 0, `milliseconds, an integer from 0 to ${maximum}`]
  ] as const

  it.each(cases)("%s by %s", (option, variable, byDefault, ofZero, accepted) => {
    expect(millisOf(load()[option])).toBe(byDefault)
    expect(millisOf(load({ [variable]: "1500" })[option])).toBe(1500)
    expect(millisOf(load({ [variable]: "0" })[option])).toBe(ofZero)
    expect(load({ [variable]: "1500" }).sources[option]).toEqual({ from: "environment", name: variable })
    expect(millisOf(load({ [variable]: "1500" }, { [option]: "2 seconds" })[option])).toBe(2000)
    expect(millisOf(load({}, { [option]: 7 })[option])).toBe(7)
    for (const bad of ["-1", "1.5", "1s", "ten", String(maximum + 1)]) {
      expect(messageOf({ [variable]: bad })).toBe(`${variable}: "${bad}" is not accepted; expected ${accepted}`)
    }
    for (const bad of [-1, Number.NaN, maximum + 1, "soon", null]) {
      expect(messageOf({}, untyped({ [option]: bad }))).toContain(`${option}: `)
    }
  })

  it("of traces go before the general ones", () => {
    const env = { OTEL_EXPORTER_OTLP_TIMEOUT: "1", OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "2" }
    expect(millisOf(load(env).timeout)).toBe(2)
  })

  it("without end mean no limit where 0 does, and nothing elsewhere", () => {
    expect(millisOf(load({}, { timeout: Duration.infinity }).timeout)).toBe(maximum)
    expect(messageOf({}, { scheduleDelay: Duration.infinity })).toContain(
      `expected a duration from 0 to ${maximum} milliseconds`
    )
  })
})
