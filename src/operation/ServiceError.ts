/**
 * One tagged error a service, with the reason inside: `GorseError` with `reason: RateLimited | NotFound | …`.
 *
 * Callers catch the service's error with `Effect.catchTag("GorseError", …)` and one of its reasons with
 * `Effect.catchReason("GorseError", "NotFound", …)`.
 *
 * **Example** (An error for a service of your own)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { NotFound } from "effect-telemetry/operation/Reason"
 * import { ServiceError } from "effect-telemetry/operation/ServiceError"
 *
 * class GeoError extends ServiceError("GeoError", "geo") {}
 *
 * const program = Effect.fail(new GeoError({ operation: "locate", reason: new NotFound({ message: "no such place" }) })).pipe(
 *   Effect.catchReason("GeoError", "NotFound", () => Effect.succeed("nowhere"))
 * )
 * console.log(Effect.runSync(program))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
 */
import * as Data from "effect/Data"
import type * as Cause from "effect/Cause"
import type { Reason } from "./Reason.ts"

/** What the error of a service is. */
export interface ServiceErrorFields<Tag extends string> extends Cause.YieldableError {
  readonly _tag: Tag
  /** The service as `external.service` names it. */
  readonly service: string
  /** The operation that failed, without the service's prefix. */
  readonly operation: string
  /** Why it failed: what `Effect.catchReason` looks at. */
  readonly reason: Reason
  /** Whether another try may help, as the reason says. */
  readonly isRetryable: boolean
}

/** The class of a service's error. */
export interface ServiceErrorClass<Tag extends string> {
  new (props: { readonly operation: string; readonly reason: Reason }): ServiceErrorFields<Tag>
  readonly tag: Tag
}

/** Any service's error. */
export type AnyServiceError = ServiceErrorFields<string>

/** Makes the error class of a service, to be extended: `class GeoError extends ServiceError("GeoError", "geo") {}`. */
export const ServiceError = <const Tag extends string>(tag: Tag, service: string): ServiceErrorClass<Tag> => {
  class Base extends Data.TaggedError(tag as string)<{
    readonly operation: string
    readonly reason: Reason
    readonly cause?: unknown
  }> {
    static readonly tag = tag
    constructor(props: { readonly operation: string; readonly reason: Reason }) {
      // The reason is the error's cause, so that a stack trace with causes reads down to the client library's own error.
      super({ operation: props.operation, reason: props.reason, cause: props.reason })
    }
    get service(): string {
      return service
    }
    override get message(): string {
      return `${service} ${this.operation}: ${this.reason._tag}: ${this.reason.message}`
    }
    get isRetryable(): boolean {
      return this.reason.isRetryable
    }
    override toJSON(): unknown {
      const { _tag, code, message, status } = this.reason
      return {
        _tag: tag,
        service,
        operation: this.operation,
        message: this.message,
        reason: { _tag, message, status, code }
      }
    }
  }
  return Base as unknown as ServiceErrorClass<Tag>
}
