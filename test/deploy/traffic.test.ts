/** `deploy/traffic.ts`, before a server that only counts. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, it } from "vitest"
import { steps } from "../../scratchpad/app/Command/Demo.ts"
import { endAfterEach, start } from "../scratchpad/command.ts"

endAfterEach()

it("asks for what the demo asks for, over and over, and uses what it is told", async () => {
  const seen: Array<string> = []
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      seen.push(`${request.method} ${request.url}`)
      response.end(JSON.stringify({ id: `p_${seen.length}` }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const command = start("deploy/traffic.ts", [], {
    BACKEND_URL: `http://127.0.0.1:${port}`,
    PER_SECOND: "1000",
    REQUESTS: String(2 * steps.length)
  })
  assert.deepStrictEqual(await command.ended, { code: 0, signal: null }, command.stderr())
  // In the second round without the recording.
  assert.lengthOf(seen, 2 * steps.length - 1)
  const created = seen.indexOf("POST /api/v1/posts") + 1
  assert.include(seen, `PUT /api/v1/posts/p_${created}/audio`)
  assert.include(seen, `POST /api/v1/posts/p_${created}/comments`)
  server.closeAllConnections()
  server.close()
})

it("says once that nobody answers, and goes on", async () => {
  const command = start("deploy/traffic.ts", [], {
    BACKEND_URL: "http://127.0.0.1:1",
    PER_SECOND: "1000",
    REQUESTS: "5"
  })
  assert.deepStrictEqual(await command.ended, { code: 0, signal: null })
  assert.match(command.stderr(), /^traffic: http:\/\/127\.0\.0\.1:1 does not answer: [^\n]+\n$/)
})
