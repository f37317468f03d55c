/**
 * Which names say that their value is a secret: of attributes, of query parameters, of properties, of headers.
 *
 * A name is split into words (`accessToken`, `access_token`, `x-access-token` are the same two), and words are looked up, so
 * that `gen_ai.usage.input_tokens` and `cache.key` are not taken for secrets.
 *
 * **Example** (Asking)
 *
 * ```ts
 * import * as SecretNames from "effect-telemetry/tracer/SecretNames"
 *
 * console.log(SecretNames.isSecret("db.password"), SecretNames.isSecret("cache.key")) // true false
 * ```
 */

/** A word that makes a secret of the name that it stands in. */
const words = new Set([
  "password",
  "passwd",
  "passwort",
  "pwd",
  "passphrase",
  "passcode",
  "secret",
  "secrets",
  "token",
  "authorization",
  "cookie",
  "cookies",
  "credential",
  "credentials",
  "apikey",
  "apitoken",
  "accesskey",
  "accesstoken",
  "authtoken",
  "refreshtoken",
  "idtoken",
  "secretkey",
  "privatekey",
  "sessiontoken",
  "clientsecret",
  "csrftoken",
  "xsrf",
  "csrf",
  "jwt",
  "bearer",
  "otp",
  "totp",
  "ssn",
  "cvv",
  "cvc",
  "dsn",
  "signature",
  "sig",
  "sid",
  "sessid",
  "phpsessid",
  "jsessionid",
  "awsaccesskeyid",
  "googleaccessid"
])

/** What a word ends with that does: names that were written in lower case throughout (`userpassword`, `PGPASSWORD`). */
const endings = /(?:password|passwords|passwd|passphrase|apikey|secretkey|accesskey|authtoken|accesstoken)$/

/** Two words in a row that do. */
const pairs = new Set([
  "api key",
  "access key",
  "account key",
  "auth key",
  "encryption key",
  "private key",
  "secret key",
  "service key",
  "shared key",
  "signing key",
  "ssh key",
  "subscription key",
  "connection string",
  "session id",
  "card number",
  "credit card",
  "security code",
  "access code",
  "recovery code",
  "verification code"
])

/** After `token`, a word that says that it is about tokens and is none. */
const about = new Set([
  "count",
  "type",
  "usage",
  "limit",
  "budget",
  "length",
  "size",
  "expires",
  "expiry",
  "ttl",
  "name",
  "kind",
  "endpoint"
])

/** What is no secret although its words say so. */
const harmless = new Set(["session.id", "session.previous_id", "code.signature", "function.signature"])

const prefixes = ["db.query.parameter.", "db.operation.parameter."]

/** Longer names are judged by their end. */
const judged = 256

const splitIntoWords = (name: string): Array<string> =>
  name
    .slice(-judged)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)

/** Whether a name's words say that its value is a secret. */
export const isSecret = (name: string): boolean => {
  if (harmless.has(name)) return false
  for (const prefix of prefixes) if (name.startsWith(prefix)) return true
  const parts = splitIntoWords(name)
  for (let i = 0; i < parts.length; i++) {
    const word = parts[i]!
    if (endings.test(word)) return true
    if (words.has(word) && !(word === "token" && about.has(parts[i + 1] ?? ""))) return true
    if (i > 0 && pairs.has(`${parts[i - 1]} ${word}`)) return true
  }
  return false
}

/** Names that are secrets as query parameters only: `?key=`, `?code=` and `?auth=` carry credentials. */
const parameters = new Set(["key", "code", "auth", "pass", "pw", "assertion", "ticket", "googleaccessid"])

/** The same for the name of a query parameter. */
export const isSecretParameter = (name: string): boolean => parameters.has(name.toLowerCase()) || isSecret(name)

/** Keys whose values our own code and the conventions take from short closed lists: nothing in them needs a look. */
export const closed: ReadonlySet<string> = new Set([
  "http.request.method",
  "http.route",
  "url.scheme",
  "network.protocol.name",
  "network.protocol.version",
  "network.transport",
  "server.address",
  "db.system.name",
  "db.operation.name",
  "db.collection.name",
  "db.response.status_code",
  "rpc.system.name",
  "rpc.method",
  "external.service",
  "external.operation",
  "feed.type",
  "audio.format",
  "action.type",
  "target.type"
])
