/**
 * The way to the collector: its name, a connection, TLS.
 *
 * @internal
 */
import { existsSync, readFileSync } from "node:fs"
import { isIP } from "node:net"
import type { TlsOptions } from "../../export/HttpTransport.ts"
import type { TelemetryConfig } from "../../TelemetryConfig.ts"
import { failed, type Finding, ok, warning } from "../Finding.ts"
import type * as Probe from "../probe.ts"

/** What surrounds the connection. */
export interface Surroundings {
  readonly host: string
  readonly port: number
  /** `localhost` means another thing there. */
  readonly isInContainer: boolean
  /** The variable that names a proxy for the address, which the exporter does not use. */
  readonly proxyVariable: string | undefined
}

export const isInContainer = (environment: Readonly<Record<string, string | undefined>>): boolean =>
  environment["KUBERNETES_SERVICE_HOST"] !== undefined || existsSync("/.dockerenv") || existsSync("/run/.containerenv")

const alsoProxy = ({ proxyVariable }: Surroundings): string =>
  proxyVariable === undefined ? "" : `; ${proxyVariable} is set, and the exporter does not use it`

const isLocal = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")

const inContainer = ({ host, isInContainer }: Surroundings): string =>
  isInContainer && isLocal(host)
    ? `; in a container ${host} is the container itself: use the name of the collector's service`
    : ""

export const name = (answer: Awaited<ReturnType<typeof Probe.resolveName>>, around: Surroundings): Finding => {
  const { host } = around
  if (isIP(host) !== 0) return ok("name", `${host} is an address`)
  if (answer._tag === "Resolved") return ok("name", `${host} is ${answer.addresses.join(", ")}`)
  const what = answer.code === "ENOTFOUND" ? "nobody knows this name" : `the name cannot be looked up now`
  return failed(
    "name",
    `${host}: ${what} (${answer.code})`,
    `correct the host of the endpoint, or the name service of this machine${alsoProxy(around)}`
  )
}

export const connection = (answer: Awaited<ReturnType<typeof Probe.connect>>, around: Surroundings): Finding => {
  const { host, port } = around
  if (answer._tag === "Connected")
    return ok("connection", `${host} port ${port} accepts, at ${answer.address}, in ${answer.millis} ms`)
  const place = `${host} port ${port}`
  switch (answer.code) {
    case "ECONNREFUSED":
      return failed(
        "connection",
        `nothing listens at ${place} (ECONNREFUSED)`,
        `start the collector, or correct host and port of the endpoint${inContainer(around)}${alsoProxy(around)}`
      )
    case "TIMEOUT":
    case "ETIMEDOUT":
      return failed(
        "connection",
        `${place} does not answer: ${answer.message}`,
        `a firewall or a network policy may drop the packets: allow the way from this machine to ${place}${alsoProxy(around)}`
      )
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return failed(
        "connection",
        `there is no way to ${place} (${answer.code})`,
        `look at this machine's network: routes, VPN, IPv6${alsoProxy(around)}`
      )
    default:
      return failed(
        "connection",
        `${place}: ${answer.message}`,
        `correct host and port of the endpoint${alsoProxy(around)}`
      )
  }
}

const soonMillis = 14 * 24 * 60 * 60 * 1000
const day = (millis: number): string =>
  Number.isNaN(millis) ? "an unknown day" : new Date(millis).toISOString().slice(0, 10)

const untrusted = (answer: Probe.Handshake, host: string): readonly [string, string] => {
  switch (answer.untrusted) {
    case "CERT_HAS_EXPIRED":
      return [
        `the certificate of ${answer.subject} expired on ${day(answer.validUntil)}`,
        "renew the server's certificate"
      ]
    case "CERT_NOT_YET_VALID":
      return [`the certificate of ${answer.subject} is not valid yet`, "look at the clocks of both machines"]
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return [
        `the certificate is of ${answer.subject}, not of ${host}`,
        `use a name that the certificate has, or a certificate that has ${host}`
      ]
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return [
        `the certificate of ${answer.subject} is signed by nobody that is trusted here (${answer.untrusted})`,
        "set OTEL_EXPORTER_OTLP_CERTIFICATE to the PEM file of the authority that signed it"
      ]
    default:
      return [
        `the certificate of ${answer.subject} is not trusted: ${answer.untrusted}`,
        "correct the server's certificate"
      ]
  }
}

/** What TLS came to. `acceptsAll` is `NODE_TLS_REJECT_UNAUTHORIZED=0`. */
export const tls = (
  answer: Probe.Handshake | Probe.Failure,
  around: Surroundings & { readonly now: number; readonly hasClientCertificate: boolean; readonly acceptsAll: boolean }
): Finding => {
  const { host, port } = around
  if (answer._tag === "Failure") {
    if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL/.test(answer.code)) {
      return failed(
        "tls",
        `${host} port ${port} does not speak TLS`,
        "write http:// instead of https://, or use the port of https"
      )
    }
    if (
      /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNKNOWN_CA|ACCESS_DENIED/.test(
        answer.code
      )
    ) {
      return failed(
        "tls",
        `the server refuses this client (${answer.code})`,
        around.hasClientCertificate
          ? "use a client certificate that an authority of the server's has signed"
          : "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY"
      )
    }
    return failed(
      "tls",
      `no TLS with ${host} port ${port}: ${answer.message}`,
      /PEM|ASN1|KEY_VALUES_MISMATCH|OSSL/.test(answer.code)
        ? "look at the files of OTEL_EXPORTER_OTLP_CERTIFICATE, …_CLIENT_CERTIFICATE and …_CLIENT_KEY: they must be PEM, and key and certificate a pair"
        : "if the server speaks plain HTTP there, write http:// instead of https://"
    )
  }
  if (answer.untrusted !== "") {
    const [found, todo] = untrusted(answer, host)
    return around.acceptsAll
      ? warning(
          "tls",
          `${found}, and is accepted all the same by NODE_TLS_REJECT_UNAUTHORIZED=0`,
          `${todo}, and remove NODE_TLS_REJECT_UNAUTHORIZED`
        )
      : failed("tls", found, todo)
  }
  const found = `${answer.protocol}, certificate of ${answer.subject}, valid until ${day(answer.validUntil)}`
  return answer.validUntil - around.now < soonMillis
    ? warning("tls", found, "renew the server's certificate")
    : ok("tls", found)
}

/** The files of the configuration, which `load` has found readable. */
export const tlsOptions = (config: TelemetryConfig): TlsOptions => {
  const read = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readFileSync(path, "utf8")
  return { ca: read(config.certificate), certificate: read(config.clientCertificate), key: read(config.clientKey) }
}
