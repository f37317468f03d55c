/**
 * Reads queries by Grafana's and Prometheus' own grammars.
 */
import type { LRParser } from "@lezer/lr"

type Visit = NonNullable<Parameters<ReturnType<LRParser["parse"]>["iterate"]>[0]["enter"]>

/** A part of a query, its text, and what is wrong with it. */
export type Judge = (node: Parameters<Visit>[0], text: string) => string | undefined

/** Why a query is wrong: where it cannot be read, and what is wrong with its parts. Empty where nothing is. */
export const problemsIn = (parser: LRParser, query: string, judge: Judge): ReadonlyArray<string> => {
  const problems: Array<string> = []
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError)
        problems.push(`cannot be read at "${query.slice(Math.max(0, node.from - 12), node.to + 12)}"`)
      const problem = judge(node, query.slice(node.from, node.to))
      if (problem !== undefined) problems.push(problem)
    }
  })
  return problems
}
