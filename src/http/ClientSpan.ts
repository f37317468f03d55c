/**
 * How the span of a request that was sent ends: its attributes, its status.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Client from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Tracer from "effect/Tracer"
import { isRecording } from "../tracer/Recording.ts"
import * as SemconvStability from "../tracer/SemconvStability.ts"
import * as HttpAttributes from "./HttpAttributes.ts"

/** What is known of an attempt before it is made. */
export interface Attempt {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: URL | undefined
  readonly template: string | undefined
  readonly resends: number
}

/** Ends the span of an attempt. */
export const end = (
  fiber: Fiber.Fiber<unknown, unknown>,
  span: Tracer.Span,
  attempt: Attempt,
  exit: Exit.Exit<HttpClientResponse.HttpClientResponse, unknown>
): void => {
  const time = HttpAttributes.now(fiber)
  const response = Exit.isSuccess(exit) ? exit.value : responseOf(exit.cause)
  const failed = response !== undefined && response.status >= 400
  try {
    if (isRecording(span)) {
      if (failed) span.attribute("error.type", String(response.status))
      HttpAttributes.describe(span, attributesOf(fiber, attempt, response))
    }
  } catch {
    // A setting of the application threw, as a filter of headers may.
  }
  if (Exit.isFailure(exit)) HttpAttributes.endWithFailure(span, time, exit.cause, hiddenValues(attempt.request))
  else if (failed) HttpAttributes.endWithStatus(span, time, response.status)
  else span.end(time, Exit.void)
}

const attributesOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { request, resends, template, url }: Attempt,
  response: HttpClientResponse.HttpClientResponse | undefined
): ((scrub: HttpAttributes.Scrub) => Readonly<Record<string, unknown>>) => {
  const { method } = request
  const status = response?.status
  const stability = fiber.getRef(SemconvStability.CurrentSemconvStability)
  const secret = HttpAttributes.secretParameters(fiber, request.urlParams)
  const filter = fiber.getRef(Client.TracerHeaderFilter)
  const headers = {
    ...HttpAttributes.headersOf(fiber, "request", request.headers, filter),
    ...(response === undefined ? undefined : HttpAttributes.headersOf(fiber, "response", response.headers, filter))
  }
  return (scrub) => {
    const attributes = new HttpAttributes.Attributes(stability)
    attributes.putMethod(method)
    attributes.put("url.template", template)
    if (url !== undefined) {
      const authority = HttpAttributes.authorityOf(url)
      attributes.put("url.full", HttpAttributes.redactUrl(url.href, secret, scrub), "http.url")
      attributes.put("server.address", authority.host, "net.peer.name")
      attributes.put("server.port", authority.port, "net.peer.port")
    }
    if (resends > 0) attributes.put("http.request.resend_count", resends, "http.resend_count")
    attributes.put("http.response.status_code", status, "http.status_code")
    return Object.assign(attributes.record, headers)
  }
}

/** A client that fails on bad statuses (`filterStatusOk`) may stand below: its failure has the response. */
const responseOf = (cause: Cause.Cause<unknown>): HttpClientResponse.HttpClientResponse | undefined => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return HttpClientError.isHttpClientError(error) ? error.response : undefined
}

/** The values of parameters that were given as `Redacted`: a failure's message may have the whole URL in it. */
const hiddenValues = (request: HttpClientRequest.HttpClientRequest): ReadonlyArray<string> =>
  request.urlParams.params.flatMap(([, value]) => {
    const hidden: unknown = value
    return Redacted.isRedacted(hidden) ? [String(Redacted.value(hidden))] : []
  })
