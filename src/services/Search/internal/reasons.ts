/**
 * Why a request to Elasticsearch or OpenSearch failed: both answer in the same shapes, and their clients' errors have the same
 * names.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import {
  Conflict,
  Decode,
  fromConnection,
  fromStatus,
  InvalidRequest,
  NotFound,
  RateLimited,
  type Reason,
  Timeout,
  Unavailable
} from "../../../operation/Reason.ts"

/** What was answered. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers: Readonly<Record<string, unknown>>
}

/** What an engine says that went wrong: of a whole request, or of one operation of a bulk. */
export interface Fault {
  readonly type: string
  readonly reason: string
}

/** The fault in a body or in an item of a bulk; none where the answer is of something else, such as a proxy. */
export const faultOf = (body: unknown): Fault | undefined => {
  if (!Predicate.hasProperty(body, "error")) return undefined
  const { error } = body
  if (typeof error === "string") return { type: "", reason: error }
  if (!Predicate.isObject(error)) return undefined
  const { caused_by, failed_shards, reason, type } = error as Record<string, unknown>
  // "All shards failed" says nothing: what happened on them does.
  const shard = Array.isArray(failed_shards)
    ? (failed_shards[0] as { reason?: unknown } | undefined)?.reason
    : undefined
  if (type === "search_phase_execution_exception") {
    return faultOf({ error: shard }) ?? faultOf({ error: caused_by }) ?? { type, reason: textOf(reason) }
  }
  return { type: textOf(type), reason: textOf(reason) }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

/** Values of documents stay out of messages, which are logged and shown. */
const withoutValues = (reason: string): string =>
  reason
    .replace(/\.? ?Preview of field's value:[\s\S]*$/, "")
    .replace(/(For input string: )[\s\S]*$/, "$1(hidden)")
    .slice(0, 300)

/** The reason that a status and a fault mean. */
export const fromFault = (status: number, fault: Fault | undefined, retryAfter?: Duration.Duration): Reason => {
  const type = fault?.type ?? ""
  const said = withoutValues(fault?.reason ?? "")
  const message =
    fault === undefined
      ? `it answered with status ${status}, without an error of the engine`
      : [type, said].filter((part) => part !== "").join(": ")
  const details = { message, status, code: type === "" ? undefined : type }
  switch (type) {
    case "resource_already_exists_exception":
    case "version_conflict_engine_exception":
      return new Conflict(details)
    case "index_not_found_exception":
    case "document_missing_exception":
    case "search_context_missing_exception":
      return new NotFound(details)
    case "es_rejected_execution_exception":
    case "opensearch_rejected_execution_exception":
    case "rejected_execution_exception":
    case "circuit_breaking_exception":
      return new RateLimited({ ...details, retryAfter })
    case "unavailable_shards_exception":
    case "no_shard_available_action_exception":
    case "cluster_manager_not_discovered_exception":
    case "master_not_discovered_exception":
    case "node_not_connected_exception":
      return new Unavailable({ ...details, retryAfter, notActed: true })
    case "process_cluster_event_timeout_exception":
    case "timeout_exception":
      return new Timeout(details)
    case "cluster_block_exception":
      // A block for writing (read-only, disk full) is the state of the index; others pass.
      if (status === 403) return new Conflict(details)
      if (status === 503) return new Unavailable({ ...details, retryAfter, notActed: true })
  }
  if (status === 401 || status === 403 || status === 407) {
    return fromStatus(status, { ...details, message: `the credentials are missing or not enough for this (${status})` })
  }
  // A proxy answers 503 also for a request that the engine acted upon.
  if (status === 503) return new Unavailable({ ...details, retryAfter })
  return fromStatus(status, { ...details, retryAfter })
}

/** The reason that an answer with a status of failure means. */
export const fromAnswer = ({ body, headers, status }: Answer): Reason =>
  fromFault(status, faultOf(body), retryAfterOf(headers["retry-after"], Date.now()))

/** `Retry-After`: seconds or a date (RFC 9110, section 10.2.3). */
export const retryAfterOf = (header: unknown, now: number): Duration.Duration | undefined => {
  if (typeof header !== "string") return undefined
  if (/^\d{1,9}$/.test(header)) return Duration.seconds(Number(header))
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Duration.millis(Math.max(0, date - now))
}

/** What the connection itself failed with: the clients' own errors have only its message. */
export interface Underlying {
  readonly error: unknown
}

/** The reason that a failure of a client means. */
export const fromClient = (error: unknown, underlying: Underlying, engine: string, setting: string): Reason => {
  const name = Predicate.hasProperty(error, "name") ? error.name : undefined
  switch (name) {
    case "ResponseError": {
      const answer = answerOf(error)
      return answer === undefined ? fromConnection(error) : fromAnswer(answer)
    }
    case "ConnectionError":
      return fromConnection(underlying.error ?? error)
    case "TimeoutError":
      return new Timeout({ message: `${engine} did not answer in time`, cause: error })
    case "NoLivingConnectionsError":
      return new Unavailable({ message: `no node of ${engine} can be used`, cause: error, notActed: true })
    case "DeserializationError":
      return new Decode({ message: `${engine} answered with what is no JSON`, cause: error })
    case "RequestAbortedError":
      return new Decode({
        message: `${engine}'s answer was given up: ${String((error as Error).message)}`,
        cause: error
      })
    case "ProductNotSupportedError":
      return new InvalidRequest({
        message: `what answers at ${setting} is not ${engine} (its X-Elastic-Product header is missing): check the URL; for OpenSearch there is SearchOpenSearch`,
        code: "ProductNotSupportedError"
      })
    case "SerializationError":
      return new InvalidRequest({ message: "a document cannot be written as JSON", cause: error })
    case "ConfigurationError":
      return new InvalidRequest({ message: String((error as Error).message), cause: error })
  }
  return fromConnection(underlying.error ?? error)
}

/** The answer inside of the clients' `ResponseError`. */
const answerOf = (error: unknown): Answer | undefined => {
  const meta = (error as { meta?: { body?: unknown; statusCode?: unknown; headers?: unknown } | undefined }).meta
  if (typeof meta?.statusCode !== "number") return undefined
  return {
    status: meta.statusCode,
    body: meta.body,
    headers: Predicate.isObject(meta.headers) ? (meta.headers as Record<string, unknown>) : {}
  }
}
