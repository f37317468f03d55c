/**
 * The Node.js that runs this, which should be the one that runs the application.
 *
 * @internal
 */
import { failed, type Finding, ok } from "../Finding.ts"

/** The oldest one that this package is made for: `engines` of its `package.json`. */
export const oldest = "22.19.0"

export const node = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split(".").map(Number)
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    ? ok("node", `Node.js ${version}`)
    : failed("node", `Node.js ${version} is too old`, `run the application on Node.js ${oldest} or later`)
}
