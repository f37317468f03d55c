import { assert, describe, it } from "@effect/vitest"
import { problemsOf } from "./traceql.ts"

const taken = [
  // The four queries of the Go package's text, as Tempo takes them.
  '{ span.user.id = "user123" }',
  "{ duration > 1000ms }",
  "{ status = error }",
  '{ span.external.service = "stream.io" }',
  // Everything else that the documents and dashboards are made of.
  "{ }",
  '{ name = "GET /api/v1/posts" && kind = server && trace:duration >= 1.5s }',
  '{ name = "social.follow" || name = "engagement.track_play" }',
  "{ (status = error || duration > 1s) && resource.service.name =~ `.*` }",
  "{ span.cache.hit = false && !span.feed.fallback_used }",
  "{ span.http.response.status_code >= 500 && span.http.route != nil }",
  '{ event:name = "retry" && event.retry.delay_ms > 1000 }',
  '{ kind = server } >> { span.error.type = "Deadlock" }',
  '{ name =~ "db[.].+" } | count() > 20',
  '{ name = "feed.get" } | avg(span.feed.item_count) < 5',
  "{ status = error } | select(span.error.type, statusMessage, trace:rootName)",
  "{ status = error } | by(resource.service.name) | count() > 2",
  "{ kind = server } | rate() by (span.http.route) | topk(5)",
  "{ kind = client } | quantile_over_time(duration, 0.5, 0.99) by (span.external.service, name)",
  "{ span.s3.size_bytes > 0 } | max_over_time(span.s3.size_bytes)",
  "{ kind = server } | compare({ status = error })",
  '{ name = "feed.get" } >> { name = "db.select" } | sum_over_time(duration) by (name)',
  "{ kind = server } with (most_recent=true)",
  '{ span.error.type =~ "Timeout|Unavailable" } // away',
  "{ !(span.cache.hit && kind = client) }",
  '({ kind = server } | count() > 3) && { name = "feed.get" }',
  "{ kind = server } | count() > 3 | { status = error }"
]

const refused: ReadonlyArray<readonly [query: string, why: RegExp]> = [
  // Three of the Go package's four, as its text had them.
  ['{ user.id="user123" }', /cannot be read/],
  ['{ status="error" }', /compares status with string/],
  ['{ external.service="stream.io" }', /cannot be read/],
  // Scopes.
  ['{ .user.id = "u1" }', /no scope/],
  ['{ parent.name = "a" }', /parent/],
  ["{ parent }", /parent/],
  ['{ "a" = parent.user.id }', /parent/],
  ['{ span.user.name = "u1" }', /not in the catalogue/],
  ['{ resource.user.id = "u1" }', /not in the catalogue/],
  ['{ link.user.id = "u1" }', /not in the catalogue/],
  ["{ status = error } | rate() by (.http.route)", /no scope/],
  ["{ status = error } | select(span.http.path)", /not in the catalogue/],
  // Text that cannot be read.
  ["", /says nothing|cannot be read/],
  ['{ span.user.id == "u1" }', /cannot be read/],
  ["{ span.user.id = 'u1' }", /cannot be read/],
  ['{ span.user.id = "u1"', /cannot be read/],
  ["{ status = failed }", /cannot be read/],
  ['{ name = "a" and status = error }', /cannot be read/],
  ['{ span.user.id = "$user" } | notafunction()', /cannot be read/],
  ["rate()", /metrics of nothing/],
  ["{ span.user.id = $user }", /nobody replaces/],
  ['{ span.user.id = "a\nb" }', /ends on its line/],
  // Types: Tempo refuses these, or takes them and finds nothing.
  ['{ kind = "server" }', /compares kind with string/],
  ['{ duration > "1s" }', /compares duration with string/],
  ["{ duration > 1000 }", /compares duration with number/],
  ["{ name = 1 }", /compares string with number/],
  ['{ span.http.response.status_code = "500" }', /compares number with string/],
  ['{ span.cache.hit = "true" }', /compares boolean with string/],
  ["{ span.user.id > 5 }", /compares string with number/],
  ["{ span.retry.attempt > 1 }", /not in the catalogue/],
  ["{ status > ok }", /not more than/],
  ["{ name = nil }", /never nil/],
  ["{ resource.service.name = nil }", /never nil/],
  ["{ span.user.id > nil }", /equal or not/],
  ["{ status }", /true or false/],
  ["{ duration }", /true or false/],
  ["{ span.user.id }", /true or false/],
  ['{ "stream.io" }', /true or false/],
  ["{ span.feed.limit + 1 }", /true or false/],
  ["{ span.user.id + 1 = 2 }", /\+ of string/],
  ["{ !duration }", /! of duration/],
  ["{ status && duration > 1s }", /&& of status/],
  ['{ span.user.id ~ "u" }', /no comparison/],
  ['{ span.user.id =~ "[" }', /no regular expression/],
  ['{ span.user.id =~ "(?!a).*" }', /lookaround/],
  ["{ span.user.id =~ span.request.id }", /is a string/],
  // Ranks.
  ['{ !span.user.id = "u1" }', /stands next to it/],
  ["{ !span.cache.hit && kind = client }", /stands next to it/],
  ["{ status = error || kind = server && duration > 1s }", /same rank/],
  ["{ status = error } || { kind = server } && { duration > 1s }", /same rank/],
  // Values that there are not.
  ['{ span.external.service = "stream" }', /never "stream"/],
  ['{ span.external.operation = "get_timeline" }', /never "get_timeline"/],
  ['{ span.error.type = "RateLimit" }', /never "RateLimit"/],
  ['{ span.error.type =~ "Timeout|Unreachable" }', /never matches "Unreachable"/],
  ['{ span.feed.type = "home" }', /never "home"/],
  ['{ name = "stream.getFeed" }', /never "stream.getFeed"/],
  ['{ name =~ "feed" }', /never matches "feed"/],
  ['{ event:name = "error" }', /never "error"/],
  ['{ span.sampling.reason = "errors" }', /never "errors"/],
  // Pipelines.
  ["{ status = error } | topk(5)", /none before it/],
  ["{ status = error } | rate() | topk(0)", /chooses none/],
  ["{ status = error } | rate() | rate()", /metrics of metrics/],
  ["{ status = error } | rate() | { kind = server }", /cannot be had from metrics/],
  ["{ status = error } | rate() | count() > 2", /cannot be had from metrics/],
  ["({ status = error } | rate()) && { kind = server }", /not a part of it/],
  ["{ kind = server } | compare({ status = error }) | topk(5)", /no second stage/],
  ["{ kind = server } | rate() by (duration + 1)", /only attributes/],
  ["{ kind = server } | select(1)", /only attributes/],
  ["{ kind = server } | by(name, kind)", /takes one/],
  ["{ kind = server } | by(1)", /not of the span/],
  ["coalesce() | { kind = server }", /nothing to join/],
  ["{ kind = server } | avg_over_time(name)", /only of numbers/],
  ["{ kind = server } | quantile_over_time(status, 0.5)", /only of numbers/],
  ["{ kind = server } | quantile_over_time(duration, 95)", /from 0 to 1/],
  ["{ kind = server } | max(name) > 1", /only of numbers/],
  ["{ kind = server } | max(duration) > 1", /has a unit/],
  ["{ kind = server } | count() > 1s", /has a unit/],
  ["{ kind = server } | 2 < count()", /one aggregate, on the left/],
  ["{ kind = server } | count() + 1 > 2", /one aggregate, on the left/],
  ["{ kind = server } | count() > count()", /number or a duration/],
  ["{ kind = server } | count() > 1 - 3", /number or a duration/],
  ["{ kind = server } | sum(3) = 2", /not of the span/],
  ["count() > 3 && { kind = server }", /follows a \|/]
]

describe("the reader of TraceQL", () => {
  it("takes what Tempo takes", () => {
    for (const query of taken) assert.deepStrictEqual(problemsOf(query), [], query)
  })

  for (const [query, why] of refused) {
    it(`refuses ${JSON.stringify(query)}`, () => {
      const problems = problemsOf(query)
      assert.isAbove(problems.length, 0)
      assert.match(problems.join("\n"), why)
    })
  }
})
