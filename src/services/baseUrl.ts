/**
 * The base URL of a service that is asked over HTTP, checked.
 *
 * @internal
 */
import * as Result from "effect/Result"

/** The URL without a slash at its end; or what is wrong with it and what is accepted, in words that show no secret. */
export const baseUrl = (text: string): Result.Result<string, string> => {
  const accepted = "expected http://host:port or https://host:port, with or without a path"
  const url = URL.parse(text)
  if (url === null) return Result.fail(`not a URL; ${accepted}`)
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    // What stands before the first colon may be a password that was pasted here.
    return Result.fail(`not a URL of HTTP; ${accepted}`)
  }
  if (url.username !== "" || url.password !== "") return Result.fail(`a URL with credentials; ${accepted}`)
  if (url.search !== "" || url.hash !== "") return Result.fail(`a URL with a query or a fragment; ${accepted}`)
  return Result.succeed(`${url.origin}${url.pathname.replace(/\/+$/, "")}`)
}
