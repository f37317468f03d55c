/**
 * What passes between an operation and the client's connection that makes its request: where it goes and with which headers,
 * what it is answered, what it fails with. The clients' own errors have only the message of what failed.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as AttemptSpan from "../../../http/AttemptSpan.ts"
import type { Reason } from "../../../operation/Reason.ts"
import type { RestRequest } from "./requests.ts"

/** One request on its way. */
export class Wire {
  readonly attempt: AttemptSpan.Attempt
  /** Whether a 404 is an answer. */
  private readonly mayBeMissing: boolean
  /** What the connection failed with. */
  error: unknown = undefined

  constructor(attempt: AttemptSpan.Attempt, mayBeMissing: boolean) {
    this.attempt = attempt
    this.mayBeMissing = mayBeMissing
  }

  answered(status: number): void {
    this.attempt.answered(status, status === 404 && this.mayBeMissing)
  }

  /** The headers for a request to a node. */
  headersTo(node: URL, path: string, query: string | undefined): Record<string, string> {
    const base = node.pathname.replace(/\/$/, "")
    const url = URL.parse(`${node.origin}${base}${path}${query === undefined || query === "" ? "" : `?${query}`}`)
    return this.attempt.sentTo(url ?? node)
  }
}

/** Makes a request with a client: one attempt, that is given up when the effect is interrupted. */
export const send = <A>(
  { mayBeMissing, method }: RestRequest,
  request: (wire: Wire, signal: AbortSignal) => PromiseLike<A>,
  reasonOf: (error: unknown, wire: Wire) => Reason
): Effect.Effect<A, Reason> =>
  AttemptSpan.attempt(method, (attempt) => {
    const wire = new Wire(attempt, mayBeMissing === true)
    return Effect.tryPromise({
      try: (signal) => AttemptSpan.quietly(() => request(wire, signal)),
      catch: (error) => reasonOf(error, wire)
    })
  })
