/** The certificates of `test/support/tls`. */
import { readFileSync } from "node:fs"

const read = (name: string): string => readFileSync(new URL(`tls/${name}`, import.meta.url), "utf8")

export const ca = read("ca.pem")
export const server = { cert: read("server.pem"), key: read("server.key") }
export const client = { certificate: read("client.pem"), key: read("client.key") }
