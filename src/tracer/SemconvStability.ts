/**
 * Whether attributes also go out under the names that they had before the semantic conventions were stable: what
 * `OTEL_SEMCONV_STABILITY_OPT_IN` asks for, so that dashboards made for the old names keep working while they move.
 *
 * **Example** (Reading the variable)
 *
 * ```ts
 * import * as SemconvStability from "effect-telemetry/tracer/SemconvStability"
 *
 * const { httpDup, unknown } = SemconvStability.parse("http/dup,messaging")
 * console.log(httpDup, unknown) // true [ 'messaging' ]
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/
 */
import * as Context from "effect/Context"

/** Which older names are written beside the stable ones. */
export interface SemconvStability {
  /** `http/dup`: `http.method`, `http.status_code`, `http.user_agent`, … */
  readonly httpDup: boolean
  /** `database/dup`: `db.statement`, `db.system`, `db.sql.table`, `db.rows_affected`, … */
  readonly databaseDup: boolean
}

/** The names in use: by default the stable ones only. */
export const CurrentSemconvStability: Context.Reference<SemconvStability> = Context.Reference<SemconvStability>(
  "effect-telemetry/tracer/SemconvStability",
  { defaultValue: () => ({ httpDup: false, databaseDup: false }) }
)

/**
 * Reads the value of `OTEL_SEMCONV_STABILITY_OPT_IN`: a list with commas. `http` and `database` ask for the stable names,
 * which is what there is anyway. `unknown` are the values that mean nothing here, for a warning.
 */
export const parse = (value: string): SemconvStability & { readonly unknown: ReadonlyArray<string> } => {
  const names = value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
  return {
    httpDup: names.includes("http/dup"),
    databaseDup: names.includes("database/dup"),
    unknown: names.filter((name) => !["http", "http/dup", "database", "database/dup"].includes(name))
  }
}
