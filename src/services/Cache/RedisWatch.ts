/**
 * What the log hears of a connection that is lost: one line, one a minute while it stays away, one when it is back.
 *
 * The client tries again up to ten times a second, and tells of each failure.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { systemCode } from "../../operation/Reason.ts"

/** Hears what becomes of a connection. */
export interface RedisWatch {
  /** A try failed, or the connection was lost. */
  readonly lost: (cause: unknown) => void
  /** The connection is there. */
  readonly ready: () => void
}

const minute = 60_000
/** Outages that are told in a minute: one that comes and goes all the time is not told each time. */
const toldOutages = 3

/** Watches the connection to the Redis at an address (without credentials), and logs where the effect runs. */
export const make = (address: string): Effect.Effect<RedisWatch> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.map(Clock.Clock, (clock): RedisWatch => {
      // A logger that throws is no business of the client, whose listeners these are.
      const log = (line: Effect.Effect<void>, more: Readonly<Record<string, unknown>>): void => {
        Effect.runForkWith(context)(
          Effect.ignoreCause(Effect.annotateLogs(line, { "server.address": address, ...more }))
        )
      }
      let lostAt: number | undefined
      let saidAt = 0
      let recent: ReadonlyArray<number> = []
      let told = false
      let failures = 0
      return {
        lost: (cause) => {
          const now = clock.currentTimeMillisUnsafe()
          lostAt ??= now
          failures++
          if (told && now - saidAt < minute) return
          if (!told) {
            recent = recent.filter((at) => now - at < minute)
            if (recent.length >= toldOutages) return
            recent = [...recent, now]
          }
          log(
            Effect.logWarning(
              told
                ? `Redis is still away, for ${away(now - lostAt)} now`
                : "Redis is away: the cache answers as unavailable until it connects"
            ),
            { "error.type": errorType(cause), ...(failures > 1 ? { failures } : undefined) }
          )
          saidAt = now
          told = true
        },
        ready: () => {
          const since = lostAt
          lostAt = undefined
          failures = 0
          if (!told || since === undefined) return
          told = false
          log(Effect.logInfo("Redis is back: the cache is connected"), {
            "redis.away": away(clock.currentTimeMillisUnsafe() - since)
          })
        }
      }
    })
  )

const away = (millis: number): string => Duration.format(Duration.seconds(Math.max(1, Math.round(millis / 1000))))

/** What may be shown of a failure: its kind. A message may quote what Redis was sent. */
const errorType = (error: unknown): string => {
  const thrown = (error as { readonly cause?: unknown } | null)?.cause ?? error
  const reason = (thrown as { readonly socketError?: unknown } | null)?.socketError ?? thrown
  const code = systemCode(reason)
  if (code !== undefined) return code
  if ((reason as { readonly name?: unknown } | null)?.name === "AbortError") return "Timeout"
  return reason instanceof Error ? reason.constructor.name : "unknown"
}
