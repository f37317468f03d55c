import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { realServer } from "./support.ts"

const script = fileURLToPath(new URL("../../scripts/soak.ts", import.meta.url))

const run = (...args: ReadonlyArray<string>): Promise<{ readonly code: number; readonly output: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--conditions=source", "--no-warnings", script, ...args],
      { timeout: 150_000 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr })
    )
  })

realServer("TEST_COLLECTOR_BINARY")("a short soak", () => {
  it("accounts for every span, through outages and kills", { timeout: 180_000 }, async () => {
    const { code, output } = await run("0.2", "--seed", "7", "--rate", "1000")
    assert.strictEqual(code, 0, output)
    const rows = [...output.matchAll(/^(spool|memory) +(\d+) .* (\d+)$/gm)]
    assert.deepStrictEqual(
      rows.map(([, name, , unaccounted]) => [name, unaccounted]),
      [
        ["spool", "0"],
        ["memory", "0"]
      ],
      output
    )
    for (const [, , sent] of rows) assert.isAbove(Number(sent), 0)
    assert.match(output, /^processes +killed [1-9]/m)
    assert.match(output, /^outages +\w+ [1-9]/m)
  })
})
