/**
 * Finds which source wins for a setting, reads the value there and nowhere else, and collects what is wrong.
 *
 * A value that another one shadows is not looked at: a general `OTEL_EXPORTER_OTLP_PROTOCOL=grpc` for a metrics exporter
 * beside us must not stop an application that says `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf`.
 *
 * @internal
 */
import { format } from "effect/Formatter"
import * as Result from "effect/Result"
import type { Source, TelemetryConfigProblem, TelemetryOptions } from "../../TelemetryConfig.ts"
import { defaults } from "../../tracer/Redaction.ts"
import type { Kind } from "./kinds.ts"
import type { Setting } from "./settings.ts"

/** What the environment holds under a name: a text, or the reason why it could not be read. */
export type EnvironmentEntry = { readonly text: string } | { readonly unreadable: string }

/** A setting that a source has. */
export interface Found<A> {
  /** `undefined` where it was refused; the problem is then on the list. */
  readonly value: A | undefined
  readonly source: Source
  /** The value as an error may show it. */
  readonly shown: string
}

/** Where nothing was said. */
export const byDefault: Source = { from: "default", name: undefined }

const longestShown = 120

const cut = (text: string): string =>
  text.length > longestShown ? `${text.slice(0, longestShown)}… (${text.length} characters)` : text

/** What a person put into the wrong setting may be a secret: a URL with its password, a key in the place of its file's path. */
const shownText = (text: string): string => cut(defaults.text(text))

const showCode = (value: unknown, kind: Kind<unknown>): string => {
  if (kind.mask !== undefined) return cut(quoteUnlessMasked(kind.mask(String(value))))
  return shownText(typeof value === "string" ? JSON.stringify(value) : format(value))
}

const quoteUnlessMasked = (text: string): string => (text === "<redacted>" ? text : JSON.stringify(text))

const showText = (text: string, kind: Kind<unknown>): string =>
  kind.mask === undefined ? shownText(JSON.stringify(defaults.text(text))) : cut(quoteUnlessMasked(kind.mask(text)))

/** Reads settings from options and environment. */
export class Reader {
  readonly problems: Array<TelemetryConfigProblem> = []
  readonly warnings: Array<string> = []
  private readonly options: TelemetryOptions
  private readonly environmentEntries: ReadonlyMap<string, EnvironmentEntry>

  constructor(options: TelemetryOptions, environmentEntries: ReadonlyMap<string, EnvironmentEntry>) {
    this.options = options
    this.environmentEntries = environmentEntries
  }

  /** Puts a problem on the list. */
  refuse(name: string, shown: string, accepted: string, detail?: string): void {
    const because = detail === undefined ? "" : ` (${detail})`
    this.add(name, shown, accepted, `${name}: ${shown} is not accepted; expected ${accepted}${because}`)
  }

  private add(variable: string, value: string, accepted: string, message: string): void {
    // A general variable can serve several settings; what is wrong with it is said once.
    if (this.problems.some((problem) => problem.message === message)) return
    this.problems.push({ variable, value, accepted, message })
  }

  /** What code says. */
  code<A>(setting: Setting<A>): Found<A> | undefined {
    const given = this.options[setting.option]
    if (given === undefined) return undefined
    const { kind, option } = setting
    const result = kind.fromCode(given)
    const shown = showCode(given, kind)
    const source: Source = { from: "code", name: option }
    if (Result.isSuccess(result)) return { value: result.success, source, shown }
    const { culprit, detail } = result.failure
    this.refuse(
      option,
      culprit === undefined ? shown : shownText(culprit),
      kind.acceptedInCode ?? kind.accepted,
      detail
    )
    return { value: undefined, source, shown }
  }

  /** What the environment says: the first variable that is set and not blank. */
  environment<A>(setting: Setting<A>): Found<A> | undefined {
    for (const variable of setting.variables) {
      const entry = this.environmentEntries.get(variable)
      if (entry === undefined) continue
      const source: Source = { from: "environment", name: variable }
      if ("unreadable" in entry) {
        // What a source says of itself can hold the value.
        const why = setting.kind.mask === undefined ? `: ${entry.unreadable}` : ""
        this.add(variable, "<unreadable>", setting.accepted, `${variable}: cannot be read${why}`)
        return { value: undefined, source, shown: "<unreadable>" }
      }
      const { kind } = setting
      const result = kind.fromText(entry.text)
      const shown = showText(entry.text, kind)
      if (Result.isSuccess(result)) return { value: result.success, source, shown }
      const { culprit, detail } = result.failure
      this.refuse(variable, culprit === undefined ? shown : shownText(culprit), kind.accepted, detail)
      return { value: undefined, source, shown }
    }
    return undefined
  }

  /** What wins: code, then environment. */
  find<A>(setting: Setting<A>): Found<A> | undefined {
    return this.code(setting) ?? this.environment(setting)
  }
}
