/**
 * A traced `PgClient`: what `traced` does, and the two things that only this client has. Internal to the layers.
 *
 * @internal
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import type { TracedOptions } from "./TracedClient.ts"
import { statementSpans, traced } from "./TracedClient.ts"
import { withoutRows } from "./StatementSpan.ts"

/** Traces a client; `LISTEN` and `NOTIFY` too, of which the client itself makes no spans. */
export const tracedPgClient = (client: PgClient, options: TracedOptions): PgClient => {
  const sql = traced(client, options)
  const spans = statementSpans(sql)!
  return Object.assign(sql, {
    listen: (channel: string) => spans.run("LISTEN channel", client.listen(channel), withoutRows),
    notify: (channel: string, payload: string) =>
      spans.run("SELECT pg_notify($1, $2)", client.notify(channel, payload), withoutRows)
  } satisfies Pick<PgClient, "listen" | "notify">)
}
