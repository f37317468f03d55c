/**
 * What the spans of HTTP carry: names, types and meanings, for the catalogue.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 * @internal
 */
import * as Attributes from "../operation/Attributes.ts"

const common: Attributes.AttributeTable<never> = {
  "http.request.method": Attributes.string("the method; `_OTHER` where it is none that is known"),
  "http.request.method_original": Attributes.string("the method as it was sent, where it is none that is known"),
  "server.address": Attributes.string("the server's host"),
  "server.port": Attributes.int("the server's port"),
  "http.response.status_code": Attributes.int("the status of the response")
}

/** Attributes of the span of a request that is served: `{METHOD} {http.route}`. */
export const server: Attributes.AttributeTable<never> = {
  ...common,
  "http.route": Attributes.string("the route that matched, with parameters by name"),
  "url.path": Attributes.string("the path"),
  "url.scheme": Attributes.string("the scheme"),
  "url.query": Attributes.string("the query; secret values redacted"),
  "client.address": Attributes.string("who asks"),
  "user_agent.original": Attributes.string("the `User-Agent`, at most 200 characters"),
  "error.type": Attributes.string("where it failed with a 5xx: the failure's tag, or the status")
}

/** Attributes of the span of an attempt of a request that is sent: `{METHOD}` or `{METHOD} {url.template}`. */
export const client: Attributes.AttributeTable<never> = {
  ...common,
  "url.full": Attributes.string("the URL; credentials and secret query values redacted"),
  "url.template": Attributes.string("the URL's template, where the caller named one"),
  "http.request.resend_count": Attributes.int("how often the request was sent before, on a repetition"),
  "error.type": Attributes.string("where it failed, or was answered with 4xx or 5xx: the failure's tag, or the status")
}

/** The older names, written too with `OTEL_SEMCONV_STABILITY_OPT_IN=http/dup`. */
export const older: Attributes.AttributeTable<never> = {
  "http.method": Attributes.string("as `http.request.method`"),
  "http.status_code": Attributes.int("as `http.response.status_code`"),
  "http.url": Attributes.string("as `url.full`"),
  "http.target": Attributes.string("path and query"),
  "http.scheme": Attributes.string("as `url.scheme`"),
  "http.user_agent": Attributes.string("as `user_agent.original`"),
  "http.client_ip": Attributes.string("as `client.address`"),
  "http.resend_count": Attributes.int("as `http.request.resend_count`"),
  "net.host.name": Attributes.string("as `server.address`, of the server"),
  "net.host.port": Attributes.int("as `server.port`, of the server"),
  "net.peer.name": Attributes.string("as `server.address`, of the client"),
  "net.peer.port": Attributes.int("as `server.port`, of the client")
}
