/** All that is fuzzed. */
import type { Target } from "./Target.ts"
import { attributes } from "./targets/attributes.ts"
import { answers } from "./targets/answers.ts"
import { b3, baggage, traceparent, tracestate } from "./targets/codecs.ts"
import { carriers } from "./targets/carriers.ts"
import { config } from "./targets/config.ts"
import { http } from "./targets/http.ts"
import { otlp } from "./targets/otlp.ts"
import { redaction } from "./targets/redaction.ts"
import { spool } from "./targets/spool.ts"
import { sql } from "./targets/sql.ts"
import { tree } from "./targets/tree.ts"

export const targets: ReadonlyArray<Target> = [
  traceparent,
  tracestate,
  baggage,
  b3,
  carriers,
  sql,
  otlp,
  attributes,
  redaction,
  config,
  tree,
  spool,
  answers,
  http
]

export const targetNamed = (name: string): Target | undefined => targets.find((target) => target.name === name)
