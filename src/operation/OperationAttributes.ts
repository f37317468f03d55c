/**
 * What the span of every operation carries beside the operation's own attributes: written here for the catalogue, set by
 * `implement`.
 *
 * @internal
 */
import * as Attributes from "./Attributes.ts"
import { tags } from "./Reason.ts"

/** Attributes of every operation's span. `{prefix}.operation` is the third of the first three. */
export const common: Attributes.AttributeTable<never> = {
  "external.service": Attributes.string("the service"),
  "external.operation": Attributes.string("the operation, without the service's prefix"),
  "external.retry_count": Attributes.int("how often it was tried again, where it was"),
  "external.error.retryable": Attributes.boolean("where it failed: whether another try may help"),
  "external.circuit_breaker_triggered": Attributes.boolean(
    "where an open circuit refused it, or another attempt of it"
  ),
  "error.type": Attributes.string("where it failed: why", undefined, { values: tags })
}

/** What `recordServiceError` and `recordServiceSuccess` put on the span that they find. */
export const recorded: Attributes.AttributeTable<never> = {
  "external.service": Attributes.string("the service that failed"),
  "external.error.retryable": Attributes.boolean("whether another try may help, where the failure knows"),
  "error.type": Attributes.string("why it failed: the failure's tag, or that of its reason"),
  "result.item_count": Attributes.int("how many items the answer has"),
  "result.from_cache": Attributes.boolean("whether it came from a cache"),
  "result.partial": Attributes.boolean("whether something is missing in it")
}

/** Attributes of each span event `retry`. */
export const retryEvent: Attributes.AttributeTable<never> = {
  "retry.attempt": Attributes.int("which repetition this is, from 1"),
  "retry.delay_ms": Attributes.int("how long it was waited for, in milliseconds"),
  "error.type": Attributes.string("why the attempt before failed"),
  "error.message": Attributes.string("the message of that failure")
}
