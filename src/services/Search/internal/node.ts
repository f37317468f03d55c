/**
 * Where an engine is and how one signs in there, from options or from the environment.
 *
 * @internal
 */
import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import { notSet, secret as secretVariable, sentence, text } from "../../environment.ts"

/** A setting of the search that is not accepted, or that contradicts another one. Shows no secrets. */
export class SearchConfigError extends Data.TaggedError("SearchConfigError")<{
  /** The variable of the environment that stands for the setting. */
  readonly setting: string
  readonly problem: string
}> {
  override get message(): string {
    return sentence(this.setting, this.problem)
  }
}

/** Where an engine is, and how one signs in there. */
export interface NodeOptions {
  /** `http(s)://[user:password@]host[:port][/path]`; several with commas between, or as a list, are nodes of one cluster. */
  readonly url: string | Redacted.Redacted | ReadonlyArray<string | Redacted.Redacted>
  /** Signs in with a name and a password, where the URL has none. */
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  /** Of TLS: `ca`, `rejectUnauthorized`, a client's certificate. */
  readonly tls?: ConnectionOptions | undefined
}

/** The nodes without credentials, and the credentials. */
export interface Nodes {
  readonly urls: ReadonlyArray<URL>
  readonly basic: { readonly username: string; readonly password: string } | undefined
}

const secret = (input: string | Redacted.Redacted): string =>
  typeof input === "string" ? input : Redacted.value(input)

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const acceptedUrl = "http://host:9200 or https://host, several with commas between"

/** Reads what the options say. `prefix` is that of the variables which stand for them: `ELASTICSEARCH`. */
export const nodesOf = (prefix: string, options: NodeOptions): Effect.Effect<Nodes, SearchConfigError> =>
  Effect.suspend(() => {
    const fail = (name: string, problem: string) =>
      Effect.fail(new SearchConfigError({ setting: `${prefix}_${name}`, problem }))
    const accepted = `expected ${acceptedUrl}`
    const given = typeof options.url === "string" || Redacted.isRedacted(options.url) ? [options.url] : options.url
    const texts = given.flatMap((one) => secret(one).split(",")).map((text) => text.trim())
    const urls: Array<URL> = []
    let basic: Nodes["basic"]
    if (texts.every((text) => text === "")) return fail("URL", `is empty; ${accepted}`)
    for (const text of texts) {
      const url = URL.parse(text)
      // Neither the text nor a part of it is shown: a URL that cannot be read may have a password anywhere.
      if (url === null) return fail("URL", `is not a URL; ${accepted}`)
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        return fail("URL", `the scheme of a URL is not accepted; ${accepted}`)
      }
      if (url.search !== "" || url.hash !== "") return fail("URL", `a query or a fragment is not accepted; ${accepted}`)
      if (url.username !== "" || url.password !== "") {
        const username = decoded(url.username)
        const password = decoded(url.password)
        if (username === undefined || password === undefined) {
          return fail("URL", "the credentials in a URL are not percent-encoded as they have to be")
        }
        if (username === "" || password === "") {
          return fail("URL", "a URL has a user without a password, or a password without a user")
        }
        if (basic !== undefined && (basic.username !== username || basic.password !== password)) {
          return fail("URL", "the URLs have different credentials; nodes of one cluster take the same")
        }
        basic = { username, password }
        url.username = ""
        url.password = ""
      }
      urls.push(url)
    }
    const { password, username } = options
    if (username === undefined && password === undefined) return Effect.succeed({ urls, basic })
    if (basic !== undefined) return fail("USERNAME", "the URL has credentials already; one of the two has to go")
    if (username === undefined || username === "") return fail("USERNAME", "is missing, though there is a password")
    if (password === undefined || secret(password) === "") {
      return fail("PASSWORD", "is missing, though there is a user name")
    }
    return Effect.succeed({ urls, basic: { username, password: secret(password) } })
  })

/**
 * `{prefix}_URL`, which has to be there, `{prefix}_USERNAME`, `{prefix}_PASSWORD` and `{prefix}_API_KEY`. An empty one counts as
 * not set.
 */
export const environment = (
  prefix: string
): Effect.Effect<
  {
    readonly url: Redacted.Redacted
    readonly username: string | undefined
    readonly password: Redacted.Redacted | undefined
    readonly apiKey: Redacted.Redacted | undefined
  },
  Config.ConfigError | SearchConfigError
> =>
  Effect.gen(function* () {
    const url = yield* secretVariable(`${prefix}_URL`)
    if (url === undefined)
      return yield* new SearchConfigError({ setting: `${prefix}_URL`, problem: notSet(acceptedUrl) })
    return {
      url,
      username: yield* text(`${prefix}_USERNAME`),
      password: yield* secretVariable(`${prefix}_PASSWORD`),
      apiKey: yield* secretVariable(`${prefix}_API_KEY`)
    }
  })
