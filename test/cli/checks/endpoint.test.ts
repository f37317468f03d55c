import { assert, describe, it } from "@effect/vitest"
import * as Check from "../../../src/cli/checks/endpoint.ts"
import { config } from "../support.ts"

const of = (env: Record<string, string>) => Check.endpoint(config(env))
const base = (url: string) => of({ OTEL_EXPORTER_OTLP_ENDPOINT: url })
const full = (url: string) => of({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url })

describe("endpoint", () => {
  it("a good one is shown with its source and encoding", () => {
    assert.deepStrictEqual(base("http://collector:4318"), [
      {
        check: "endpoint",
        status: "ok",
        found: "http://collector:4318/v1/traces, by OTEL_EXPORTER_OTLP_ENDPOINT, http/protobuf"
      }
    ])
    assert.include(of({})[0]!.found, "the default")
  })

  it("a port that is known for something else", () => {
    const [finding] = base("http://collector:4317")
    assert.include(finding!, { status: "warning", todo: "use the port of OTLP over HTTP, usually 4318" })
    assert.include(finding!.found, "port 4317 is usually gRPC")
    assert.include(base("http://collector:16686")[0]!.found, "Jaeger's page")
  })

  it("/v1/traces doubled, missing, with a slash behind it", () => {
    const [doubled] = base("http://collector:4318/v1/traces")
    assert.include(doubled!.found, "stands there twice")
    assert.include(doubled!.todo, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    const [missing] = full("http://collector:4318")
    assert.include(missing!.found, "the path / does not end with /v1/traces")
    assert.include(missing!.todo, "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318")
    assert.include(full("http://collector:4318/v1/traces/")[0]!.found, "does not end with /v1/traces")
    assert.strictEqual(full("https://vendor.example/otlp/v1/traces")[0]!.status, "ok")
  })

  it("http for https: by the port, and by credentials in the clear", () => {
    assert.include(base("http://vendor.example:443")[0]!, { todo: "write https:// instead of http://" })
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter2" }
    const [clear] = of({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://vendor.example:4318", ...headers })
    assert.include(clear!.found, "the header authorization goes there unencrypted")
    assert.strictEqual(of({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318", ...headers })[0]!.status, "ok")
  })

  it("shows no secret", () => {
    const text = JSON.stringify([
      ...full("http://user:hunter2@vendor.example:4317/otlp?key=hunter2"),
      ...of({ OTEL_EXPORTER_OTLP_HEADERS: "x-key=hunter2", OTEL_EXPORTER_OTLP_ENDPOINT: "http://vendor.example" })
    ])
    assert.notInclude(text, "hunter2")
  })
})

describe("proxy", () => {
  const target = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example" }

  it("a variable for the scheme is said to be ignored, without its value", () => {
    const finding = Check.proxy(config(target), { https_proxy: "http://user:hunter2@proxy:3128" })
    assert.include(finding, {
      status: "warning",
      found: "https_proxy is set, but the exporter connects directly and uses no proxy"
    })
    assert.notInclude(JSON.stringify(finding), "hunter2")
    assert.strictEqual(Check.proxy(config(target), { ALL_PROXY: "http://proxy" }).status, "warning")
  })

  it("none, one for the other scheme, an exception, loopback", () => {
    for (const environment of [
      {},
      { HTTP_PROXY: "http://proxy" },
      { HTTPS_PROXY: "http://proxy", NO_PROXY: "other, .example" },
      { HTTPS_PROXY: "http://proxy", no_proxy: "*" },
      { HTTPS_PROXY: "" }
    ]) {
      assert.strictEqual(Check.proxy(config(target), environment).status, "ok", JSON.stringify(environment))
    }
    assert.strictEqual(Check.proxy(config(), { HTTP_PROXY: "http://proxy" }).status, "ok")
  })

  it("NO_PROXY: names, domains, ports", () => {
    assert.isTrue(Check.isExcepted("collector.example", 443, "collector.example"))
    assert.isTrue(Check.isExcepted("collector.example", 443, "*.example"))
    assert.isTrue(Check.isExcepted("collector.example", 443, "example:443"))
    assert.isFalse(Check.isExcepted("collector.example", 443, "example:80"))
    assert.isFalse(Check.isExcepted("notexample", 443, "example"))
    assert.isTrue(Check.isExcepted("fd00::1", 4318, "fd00::1"))
  })
})
