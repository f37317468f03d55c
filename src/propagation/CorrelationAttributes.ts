/**
 * What is set once for a request and appears on every span made under it: names and meanings, for the catalogue.
 *
 * @internal
 */

/** Attributes of every span under a request, where they were set. */
export const attributes = {
  "user.id": { type: "string", brief: "the user for whom it happens" },
  "organization.id": { type: "string", brief: "the user's organization" },
  "request.id": { type: "string", brief: "the request: `X-Request-ID`" },
  "trace.correlation_id": { type: "string", brief: "what belongs together across requests: `X-Correlation-ID`" }
} as const
