import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Check from "../../../src/cli/checks/network.ts"
import * as Probe from "../../../src/cli/probe.ts"
import * as certificates from "../../support/certificates.ts"
import { config, serve, unusedPort } from "../support.ts"

const around: Check.Surroundings = {
  host: "collector.example",
  port: 4318,
  isInContainer: false,
  proxyVariable: undefined
}
const failure = (code: string): Probe.Failure => ({ _tag: "Failure", code, message: `it was ${code}` })

describe("name", () => {
  it("addresses need none, names have addresses or nobody knows them", () => {
    assert.strictEqual(Check.name(failure("ENOTFOUND"), { ...around, host: "::1" }).status, "ok")
    assert.include(Check.name({ _tag: "Resolved", addresses: ["10.0.0.1", "10.0.0.2"] }, around), {
      status: "ok",
      found: "collector.example is 10.0.0.1, 10.0.0.2"
    })
    assert.include(Check.name(failure("ENOTFOUND"), around), {
      status: "failed",
      found: "collector.example: nobody knows this name (ENOTFOUND)"
    })
    assert.include(Check.name(failure("EAI_AGAIN"), around).found, "cannot be looked up now")
    assert.include(
      Check.name(failure("ENOTFOUND"), { ...around, proxyVariable: "HTTPS_PROXY" }).todo,
      "HTTPS_PROXY is set"
    )
  })

  it.effect("a name that is none, asked for real", () =>
    Effect.gen(function* () {
      const answer = yield* Effect.promise(() => Probe.resolveName("collector.invalid"))
      assert.strictEqual(Check.name(answer, { ...around, host: "collector.invalid" }).status, "failed")
    })
  )
})

describe("connection", () => {
  it.effect("a port that listens, and one that does not", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(() => {})
      const open = yield* Effect.promise(() => Probe.connect("127.0.0.1", port, 5_000))
      assert.include(Check.connection(open, { ...around, host: "127.0.0.1", port }), { status: "ok" })
      const unused = yield* unusedPort
      const closed = yield* Effect.promise(() => Probe.connect("localhost", unused, 5_000))
      const finding = Check.connection(closed, { ...around, host: "localhost", port: unused, isInContainer: true })
      assert.include(finding, { status: "failed", found: `nothing listens at localhost port ${unused} (ECONNREFUSED)` })
      assert.include(finding.todo, "in a container localhost is the container itself")
    }).pipe(Effect.scoped)
  )

  it("silence, no way, and what nobody thought of", () => {
    assert.include(Check.connection(failure("TIMEOUT"), around).todo, "firewall")
    assert.include(Check.connection(failure("ENETUNREACH"), around).todo, "routes")
    assert.include(Check.connection(failure("EWHATEVER"), around), { status: "failed" })
  })
})

const tlsServer = (options: https.ServerOptions) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<https.Server>((resume) => {
        const server = https.createServer({ ...certificates.server, ...options }, (_, response) => response.end())
        server.on("tlsClientError", () => {})
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => (server.address() as AddressInfo).port
  )

describe("tls", () => {
  const more = { ...around, host: "localhost", now: Date.now(), hasClientCertificate: false, acceptsAll: false }
  const shake = (port: number, tls: Parameters<typeof Probe.handshake>[2] = {}, host = "localhost") =>
    Effect.promise(() => Probe.handshake(host, port, tls, 5_000))

  it.effect("an authority that nobody knows, and one that was given", () =>
    Effect.gen(function* () {
      const port = yield* tlsServer({})
      const unknown = Check.tls(yield* shake(port), more)
      assert.include(unknown, {
        status: "failed",
        todo: "set OTEL_EXPORTER_OTLP_CERTIFICATE to the PEM file of the authority that signed it"
      })
      const accepted = Check.tls(yield* shake(port), { ...more, acceptsAll: true })
      assert.include(accepted.found, "accepted all the same by NODE_TLS_REJECT_UNAUTHORIZED=0")
      assert.strictEqual(accepted.status, "warning")
      const known = Check.tls(yield* shake(port, { ca: certificates.ca }), more)
      assert.include(known, { status: "ok", found: "TLSv1.3, certificate of server, valid until 2126-11-01" })
    }).pipe(Effect.scoped)
  )

  it.effect("a certificate of another name", () =>
    Effect.gen(function* () {
      const port = yield* tlsServer({})
      // This machine, by an address that the certificate does not have.
      const shaken = yield* shake(port, { ca: certificates.ca }, "0.0.0.0")
      assert.include(Check.tls(shaken, { ...more, host: "0.0.0.0" }), {
        status: "failed",
        found: "the certificate is of server, not of 0.0.0.0"
      })
    }).pipe(Effect.scoped)
  )

  it.effect("a server that wants a certificate of the client", () =>
    Effect.gen(function* () {
      const port = yield* tlsServer({ requestCert: true, rejectUnauthorized: true, ca: certificates.ca })
      const without = Check.tls(yield* shake(port, { ca: certificates.ca }), more)
      assert.include(without, {
        status: "failed",
        todo: "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
      })
      const { certificate, key } = certificates.client
      const { status } = Check.tls(yield* shake(port, { ca: certificates.ca, certificate, key }), more)
      assert.strictEqual(status, "ok")
    }).pipe(Effect.scoped)
  )

  it.effect("a server that speaks plain HTTP", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(() => {})
      assert.include(Check.tls(yield* shake(port), { ...more, port }), {
        status: "failed",
        found: `localhost port ${port} does not speak TLS`
      })
    }).pipe(Effect.scoped)
  )

  it.effect("files that are no PEM", () =>
    Effect.gen(function* () {
      const port = yield* tlsServer({})
      const finding = Check.tls(yield* shake(port, { certificate: "no", key: "no" }), more)
      assert.strictEqual(finding.status, "failed")
      assert.include(finding.todo, "they must be PEM")
    }).pipe(Effect.scoped)
  )

  it("expired, not yet valid, soon to expire", () => {
    const day = 24 * 60 * 60 * 1000
    const shaken = (untrusted: string, validUntil: number): Probe.Handshake => ({
      _tag: "Handshake",
      protocol: "TLSv1.3",
      subject: "collector.example",
      validUntil,
      untrusted
    })
    const until = Date.UTC(2026, 0, 2)
    assert.include(Check.tls(shaken("CERT_HAS_EXPIRED", until), more), {
      status: "failed",
      found: "the certificate of collector.example expired on 2026-01-02"
    })
    assert.include(Check.tls(shaken("CERT_NOT_YET_VALID", until), more).todo, "clocks")
    assert.strictEqual(Check.tls(shaken("", until), { ...more, now: until - 3 * day }).status, "warning")
    assert.strictEqual(Check.tls(shaken("", until), { ...more, now: until - 30 * day }).status, "ok")
  })

  it("files are those of the settings", () => {
    const path = fileURLToPath(new URL("../../support/tls/ca.pem", import.meta.url))
    assert.deepStrictEqual(Check.tlsOptions(config({ OTEL_EXPORTER_OTLP_CERTIFICATE: path })), {
      ca: certificates.ca,
      certificate: undefined,
      key: undefined
    })
  })
})
