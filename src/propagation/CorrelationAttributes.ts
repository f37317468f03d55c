/**
 * What is set once for a request and appears on every span made under it: names and meanings, for the catalogue.
 */
import * as Attributes from "../operation/Attributes.ts"

export const attributes: Attributes.AttributeTable<never> = {
  "user.id": Attributes.string("the user for whom it happens"),
  "organization.id": Attributes.string("the user's organization"),
  "request.id": Attributes.string("the request: `X-Request-ID`"),
  "trace.correlation_id": Attributes.string("what belongs together across requests: `X-Correlation-ID`")
}
