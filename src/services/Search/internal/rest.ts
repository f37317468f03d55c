/**
 * The operations of the search over the REST API that Elasticsearch and OpenSearch have in common: what their two live layers
 * share. A layer brings the sending, by its client.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { InvalidRequest, Reason } from "../../../operation/Reason.ts"
import type { SearchCalls, SearchOptions } from "../Search.ts"
import type * as Types from "../SearchTypes.ts"
import { inRounds } from "./bulk.ts"
import { type Answer, faultOf, fromAnswer } from "./reasons.ts"
import * as requests from "./requests.ts"
import * as responses from "./responses.ts"
import { checkId, checkIndex, checkIndices, checkWindow } from "./validate.ts"

/** Sends a request. A status of failure is a failure, but for a 404 that the request takes as an answer. */
export type Send = (request: requests.RestRequest) => Effect.Effect<Answer, Reason>

/** Refuses what no layer lets through, before anything is sent. */
const checked = <A>(
  problem: InvalidRequest | undefined,
  request: () => Effect.Effect<A, Reason>
): Effect.Effect<A, Reason> => (problem === undefined ? request() : Effect.fail(problem))

/** The operations over a way to send requests. */
export const calls = (send: Send, dialect: requests.Dialect, options: SearchOptions): SearchCalls => {
  const ask = <A>(request: requests.RestRequest, read: (body: unknown) => Effect.Effect<A, Reason>) =>
    Effect.flatMap(send(request), (answer) =>
      // A 404 that is taken as an answer says what is missing: an index is not a document.
      answer.status === 404 && (faultOf(answer.body) !== undefined || typeof answer.body !== "object")
        ? Effect.fail(fromAnswer(answer))
        : read(answer.body)
    )
  return {
    index: (input) =>
      checked(checkIndex(input.index) ?? checkId(input.id), () => ask(requests.index(input), responses.written)),
    get: (input) =>
      checked(checkIndex(input.index) ?? checkId(input.id), () => ask(requests.get(input), responses.found)),
    update: (input) =>
      checked(checkIndex(input.index) ?? checkId(input.id), () => ask(requests.update(input), responses.written)),
    delete: (input) =>
      checked(checkIndex(input.index) ?? checkId(input.id), () =>
        Effect.map(ask(requests.remove(input), responses.written), ({ outcome }) => outcome !== "not_found")
      ),
    bulk: (input, call) =>
      checked(bulkProblem(input), () =>
        inRounds(input, call, options.retry, (operations) =>
          ask(requests.bulk(input, operations), (body) => responses.bulked(body, operations))
        )
      ),
    createIndex: (input) =>
      checked(checkIndex(input.index), () =>
        ask(requests.createIndex(input), () => Effect.succeed(true)).pipe(
          Effect.catch((reason) =>
            input.ifMissing === true && reason.code === "resource_already_exists_exception"
              ? Effect.succeed(false)
              : Effect.fail(reason)
          )
        )
      ),
    deleteIndex: (input) =>
      checked(checkIndex(input.index), () =>
        Effect.catch(
          ask(requests.deleteIndex(input), () => Effect.succeed(true)),
          (reason) =>
            input.ifExists === true && reason.code === "index_not_found_exception"
              ? Effect.succeed(false)
              : Effect.fail(reason)
        )
      ),
    suggest: (input) => checked(checkIndices(input.index), () => ask(requests.suggest(input), responses.suggested)),
    search: (input) =>
      checked(checkIndices(input.index) ?? checkWindow(input), () =>
        input.pointInTime === undefined
          ? ask(requests.search(input, dialect, undefined), responses.searched)
          : searchPointInTime(ask, dialect, input, input.pointInTime)
      )
  }
}

const bulkProblem = ({ index, operations }: Types.BulkInput): InvalidRequest | undefined => {
  for (const operation of operations) {
    const problem = checkIndex(operation.index ?? index ?? "") ?? checkId(operation.id)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** One page of a state: the first opens it, the last one (which is not full) closes it. */
const searchPointInTime = (
  ask: <A>(
    request: requests.RestRequest,
    read: (body: unknown) => Effect.Effect<A, Reason>
  ) => Effect.Effect<A, Reason>,
  dialect: requests.Dialect,
  input: Types.SearchInput,
  pointInTime: Types.PointInTime
): Effect.Effect<Types.SearchResult, Reason> =>
  Effect.gen(function* () {
    const keepAlive = requests.millis(pointInTime.keepAlive)
    const id = pointInTime.id ?? (yield* ask(dialect.openPointInTime(input.index, keepAlive), responses.pointInTime))
    const close = (id: string) => Effect.ignore(ask(dialect.closePointInTime(id), () => Effect.void))
    const result = yield* ask(requests.search(input, dialect, id), responses.searched).pipe(
      Effect.tapError((reason) => (pointInTime.id === undefined && !reason.isRetryable ? close(id) : Effect.void))
    )
    const latest = Option.getOrElse(result.pointInTime, () => id)
    if (result.hits.length === (input.size ?? 10) && result.hits.length > 0)
      return { ...result, pointInTime: Option.some(latest) }
    yield* close(latest)
    return { ...result, pointInTime: Option.none() }
  })
