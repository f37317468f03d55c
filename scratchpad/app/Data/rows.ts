/** Rows of the database as values of a schema. */
import { Effect, Schema } from "effect"

/** Decodes rows. Rows that are not what the schema says are a defect: code and tables have come apart. */
export const rowsOf = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return <E, R>(rows: Effect.Effect<ReadonlyArray<unknown>, E, R>): Effect.Effect<ReadonlyArray<A>, E, R> =>
    Effect.flatMap(rows, (found) => Effect.orDie(decode(found)))
}
