/**
 * Whether Tempo would take a query, and whether it asks for names that exist.
 *
 * Grafana's grammar (`@grafana/lezer-traceql`) says whether it can be read. It is made for an editor, and takes more than Tempo
 * does; the rest is here: scopes, types, the order of a pipeline, what is not supported. Names, types and values are those of
 * the span catalogue.
 */
import { parser } from "@grafana/lezer-traceql"
import type { SyntaxNode } from "@lezer/common"
import * as Vocabulary from "./vocabulary.ts"

/** What an expression is. Tempo compares numbers with durations too; here an attribute is compared with what it holds. */
type Type = "string" | "number" | "duration" | "boolean" | "status" | "kind" | "nil" | "unknown"

const statics: Readonly<Record<string, Type>> = {
  true: "boolean",
  false: "boolean",
  nil: "nil",
  ok: "status",
  error: "status",
  unset: "status",
  unspecified: "kind",
  internal: "kind",
  server: "kind",
  client: "kind",
  producer: "kind",
  consumer: "kind"
}

const intrinsics: Readonly<Record<string, Type>> = {
  duration: "duration",
  "span:duration": "duration",
  traceDuration: "duration",
  "trace:duration": "duration",
  "event:timeSinceStart": "duration",
  status: "status",
  "span:status": "status",
  kind: "kind",
  "span:kind": "kind"
}

const comparisons = new Set(["=", "!=", "<", "<=", ">", ">=", "=~", "!~"])
const arithmetic = new Set(["+", "-", "*", "/", "%", "^"])

const childrenOf = (node: SyntaxNode): ReadonlyArray<SyntaxNode> => {
  const found: Array<SyntaxNode> = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child)
  return found
}

/** The text of a string, without its quotes. */
const unquoted = (text: string): string =>
  text.startsWith("`") ? text.slice(1, -1) : text.slice(1, -1).replaceAll(/\\(["\\])/g, "$1")

class Checker {
  readonly problems: Array<string> = []
  readonly query: string

  constructor(query: string) {
    this.query = query
  }

  text(node: SyntaxNode): string {
    return this.query.slice(node.from, node.to)
  }

  refuse(node: SyntaxNode, why: string): void {
    this.problems.push(`${this.text(node)}: ${why}`)
  }

  check(): void {
    const tree = parser.parse(this.query)
    let readable = true
    tree.iterate({
      enter: (node) => {
        if (!node.type.isError) return
        readable = false
        this.problems.push(`cannot be read at "${this.query.slice(Math.max(0, node.from - 12), node.to + 12)}"`)
      }
    })
    if (!readable) return
    const top = tree.topNode.firstChild
    if (top === null || top.name === "WithHint") this.problems.push("says nothing")
    else this.pipeline(top)
  }

  // ---------------------------------------------------------------------------
  // Pipelines
  // ---------------------------------------------------------------------------

  /** The whole query: stages from left to right, at most one of metrics, and after it only what works on metrics. */
  pipeline(top: SyntaxNode): void {
    let metrics: string | undefined
    this.stages(top).forEach((stage, at) => {
      const only = this.only(stage)
      if (only.name === "MetricsOperation") {
        if (at === 0) this.refuse(stage, "metrics of nothing")
        if (metrics !== undefined) this.refuse(stage, "metrics of metrics")
        metrics = this.text(only)
        this.metrics(only)
      } else if (only.name === "MetricsAggregatorFunctions") {
        if (metrics === undefined) this.refuse(stage, "chooses among metrics, and there are none before it")
        if (metrics?.startsWith("compare") === true) this.refuse(stage, "compare() has no second stage")
        const count = Number(/\d+/.exec(this.text(only))?.[0])
        if (count < 1) this.refuse(stage, "chooses none")
      } else {
        if (metrics !== undefined) this.refuse(stage, "spans cannot be had from metrics")
        if (only.name === "CoalesceOperation" && at === 0) this.refuse(stage, "has nothing to join")
        this.spanset(stage)
      }
    })
  }

  stages(node: SyntaxNode): ReadonlyArray<SyntaxNode> {
    const children = childrenOf(node)
    return children[1]?.name === "Pipe" ? [...this.stages(children[0]!), ...this.stages(children[2]!)] : [node]
  }

  /** What a node stands for, where it holds nothing else. */
  only(node: SyntaxNode): SyntaxNode {
    const children = childrenOf(node)
    return children.length === 1 && /^Spanset(Pipeline|PipelineExpression|Expression)$/.test(node.name)
      ? this.only(children[0]!)
      : node
  }

  spanset(node: SyntaxNode): void {
    const children = childrenOf(node)
    switch (node.name) {
      case "SpansetFilter": {
        const expression = children[0]
        if (expression === undefined) return
        const type = this.typeOf(expression)
        if (type !== "boolean") this.refuse(node, `a filter is true or false, this is ${type}`)
        return
      }
      case "ScalarFilter":
        return this.scalarFilter(node)
      case "GroupOperation": {
        if (children.length !== 1) this.refuse(node, "by() in a pipeline takes one expression")
        for (const child of children) {
          this.typeOf(child)
          if (!this.ofSpan(child)) this.refuse(child, "is not of the span")
        }
        return
      }
      case "SelectOperation":
        return this.attributesOnly(children[0]!)
      case "MetricsOperation":
      case "MetricsAggregatorFunctions":
        return this.refuse(node, "metrics are the end of a query, not a part of it")
      default:
        if (this.mixes(node)) this.refuse(node, "&& and || have the same rank in Tempo: put one of them in parentheses")
        for (const child of children) {
          const piped = child.nextSibling?.name === "Pipe" || child.prevSibling?.name === "Pipe"
          if (children.length > 1 && !piped && this.only(child).name === "ScalarFilter")
            this.refuse(child, "a comparison of an aggregate follows a |")
          this.spanset(child)
        }
    }
  }

  /** Whether one of a node's sides is the other of && and ||, without parentheses around it. */
  mixes(node: SyntaxNode): boolean {
    const operator = (of: SyntaxNode): string | undefined =>
      childrenOf(of).find(({ name }) => name === "And" || name === "Or")?.name
    const own = operator(node)
    return childrenOf(node).some((side) => {
      const other = this.text(side).startsWith("(") && childrenOf(side).length === 1 ? undefined : operator(side)
      return own !== undefined && other !== undefined && other !== own
    })
  }

  scalarFilter(node: SyntaxNode): void {
    const [left, operator, right] = childrenOf(node) as [SyntaxNode, SyntaxNode, SyntaxNode]
    const aggregate = childrenOf(left)[0]
    if (aggregate?.name !== "Aggregate" || childrenOf(left).length !== 1)
      return this.refuse(left, "Tempo compares one aggregate, on the left")
    if (!/^(Integer|Float|Duration)$/.test(right.firstChild?.name ?? "") || right.firstChild?.nextSibling !== null)
      return this.refuse(right, "Tempo compares an aggregate with a number or a duration")
    if (this.text(operator).includes("~")) this.refuse(node, "a number matches no regular expression")
    const field = childrenOf(aggregate)[1]
    const type = field === undefined ? "number" : this.typeOf(field)
    if (field !== undefined && !this.ofSpan(field)) this.refuse(field, "is not of the span")
    if (type !== "number" && type !== "duration") this.refuse(node, `only of numbers, this is ${type}`)
    if ((type === "duration") !== /[a-z]$/.test(this.text(right)))
      this.refuse(node, "a duration has a unit, another number has none")
  }

  metrics(node: SyntaxNode): void {
    const operation = childrenOf(node)[0]!
    for (const part of childrenOf(operation)) {
      if (part.name === "GroupOperation") for (const child of childrenOf(part)) this.attributesOnly(child)
      if (part.name === "SpansetFilter") this.spanset(part)
      const field = part.name === "MetricsOperationQuantileArgs" ? childrenOf(part)[0]! : part
      if (field.name === "MetricsExpression") {
        const type = this.field(childrenOf(field)[0]!)
        if (type !== "number" && type !== "duration") this.refuse(field, `only of numbers, this is ${type}`)
      }
      if (part.name === "MetricsOperationQuantileArgs")
        for (const quantile of childrenOf(part).slice(1))
          if (Number(this.text(quantile)) > 1) this.refuse(quantile, "a quantile is from 0 to 1")
    }
  }

  attributesOnly(node: SyntaxNode): void {
    if (node.name === "SelectArgs") {
      for (const child of childrenOf(node)) this.attributesOnly(child)
      return
    }
    const [field, ...more] = childrenOf(node)
    if (field === undefined || more.length > 0 || !/^(Intrinsic|Attribute)Field$/.test(field.name))
      return this.refuse(node, "only attributes and intrinsics")
    this.field(field)
  }

  // ---------------------------------------------------------------------------
  // Expressions
  // ---------------------------------------------------------------------------

  ofSpan(node: SyntaxNode): boolean {
    return /^(Intrinsic|Attribute)Field$/.test(node.name) || childrenOf(node).some((child) => this.ofSpan(child))
  }

  typeOf(node: SyntaxNode): Type {
    const children = childrenOf(node)
    const text = this.text(node)
    if (node.name === "Static") return this.static(node)
    if (node.name === "IntrinsicField" || node.name === "AttributeField") return this.field(node)
    if (children.length === 3) return this.binary(node, ...(children as [SyntaxNode, SyntaxNode, SyntaxNode]))
    const type = this.typeOf(children[0]!)
    if (children[0]!.name !== "FieldExpression" || text.startsWith("(")) return type
    if (childrenOf(children[0]!).length === 3)
      this.refuse(node, `${text[0]!} is of what stands next to it in Tempo: put the rest in parentheses`)
    const wanted: ReadonlyArray<Type> = text.startsWith("!") ? ["boolean"] : ["number", "duration"]
    if (!wanted.includes(type)) this.refuse(node, `${text[0]!} of ${type}`)
    return type
  }

  static(node: SyntaxNode): Type {
    const text = this.text(node)
    switch (node.firstChild?.name) {
      case "String":
        if (text.startsWith('"') && text.includes("\n")) this.refuse(node, "a string in quotes ends on its line")
        return "string"
      case "Integer":
      case "Float":
        return "number"
      case "Duration":
        return "duration"
      case "TemplateVariable":
        this.refuse(node, "a variable that nobody replaces")
        return "unknown"
      default:
        return statics[text] ?? "unknown"
    }
  }

  field(node: SyntaxNode): Type {
    const text = this.text(node)
    if (node.name === "IntrinsicField") {
      if (text === "parent") this.refuse(node, "Tempo does not support parent")
      return intrinsics[text] ?? "string"
    }
    const [scope, name] = childrenOf(node)
    if (name === undefined || scope === undefined || scope.name === "Identifier") {
      this.refuse(node, "has no scope: span., resource., event. or link.")
      return "unknown"
    }
    if (scope.name === "Parent") {
      this.refuse(node, "Tempo does not support parent")
      return "unknown"
    }
    const known = Vocabulary.attribute(this.text(scope), this.text(name))
    if (known === undefined) this.refuse(node, "is not in the catalogue")
    return known?.type ?? "unknown"
  }

  binary(node: SyntaxNode, left: SyntaxNode, operator: SyntaxNode, right: SyntaxNode): Type {
    const sign = this.text(operator)
    const types = [this.typeOf(left), this.typeOf(right)] as const
    if (operator.name === "And" || operator.name === "Or") {
      if (this.mixes(node)) this.refuse(node, "&& and || have the same rank in Tempo: put one of them in parentheses")
      for (const type of types) if (type !== "boolean") this.refuse(node, `${sign} of ${type}`)
      return "boolean"
    }
    if (arithmetic.has(sign)) {
      for (const type of types) if (type !== "number" && type !== "duration") this.refuse(node, `${sign} of ${type}`)
      return types.includes("duration") ? "duration" : "number"
    }
    if (!comparisons.has(sign)) {
      this.refuse(node, `no comparison: ${sign}`)
      return "boolean"
    }
    if (types.includes("unknown")) return "boolean"
    if (types.includes("nil")) {
      if (sign !== "=" && sign !== "!=") this.refuse(node, "nil is equal or not")
      for (const side of [left, right])
        if (side.firstChild?.name === "IntrinsicField" || this.text(side) === "resource.service.name")
          this.refuse(node, `${this.text(side)} is never nil`)
      return "boolean"
    }
    if (types[0] !== types[1]) this.refuse(node, `compares ${types[0]} with ${types[1]}`)
    if (/[<>]/.test(sign) && ["boolean", "status", "kind"].includes(types[0]))
      this.refuse(node, `one ${types[0]} is not more than another`)
    if (sign.includes("~")) this.expression(node, right)
    this.value(node, left, sign, right)
    return "boolean"
  }

  /** Tempo's regular expressions are those of RE2: without lookaround, without back references. */
  expression(node: SyntaxNode, right: SyntaxNode): void {
    if (right.firstChild?.firstChild?.name !== "String") return this.refuse(node, "a regular expression is a string")
    const source = unquoted(this.text(right))
    try {
      void new RegExp(source)
    } catch {
      return this.refuse(right, "is no regular expression")
    }
    if (/\(\?<?[=!]|\\[1-9]/.test(source)) this.refuse(right, "Tempo's regular expressions have no lookaround")
  }

  /** A value that a name cannot have finds nothing, and nobody says so. */
  value(node: SyntaxNode, left: SyntaxNode, sign: string, right: SyntaxNode): void {
    if (right.firstChild?.firstChild?.name !== "String") return
    const known = Vocabulary.valuesOf(this.text(left))
    if (known === undefined) return
    const value = unquoted(this.text(right))
    if (sign === "=" || sign === "!=") {
      if (!known.has(value)) this.refuse(node, `${this.text(left)} is never "${value}"`)
      return
    }
    if (!sign.includes("~")) return
    for (const alternative of Vocabulary.alternatives(value))
      if (!known.matches(alternative)) this.refuse(node, `${this.text(left)} never matches "${alternative}"`)
  }
}

/** Why Tempo would refuse a query, or why it would find nothing; empty where nothing is wrong. */
export const problemsOf = (query: string): ReadonlyArray<string> => {
  const checker = new Checker(query)
  checker.check()
  return checker.problems
}
