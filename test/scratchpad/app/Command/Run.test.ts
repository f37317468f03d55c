import { assert, describe, it } from "vitest"
import { endAfterEach, start } from "../../command.ts"

endAfterEach()

const program = (what: string) => start("test/scratchpad/children/run.ts", [what])
const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

describe("a program in a terminal", () => {
  it("ends with the code that it gives", async () => {
    const command = program("succeed")
    assert.deepStrictEqual(await command.ended, { code: 3, signal: null })
    assert.strictEqual(command.stdout(), "started\ndone\n")
  })

  it("says a failure in one line, and a defect with its story", async () => {
    const failing = program("fail")
    assert.deepStrictEqual(await failing.ended, { code: 1, signal: null })
    assert.strictEqual(failing.stderr(), "\nnpm start: PORT is wrong\n")
    const dying = program("die")
    assert.deepStrictEqual(await dying.ended, { code: 1, signal: null })
    assert.match(dying.stderr(), /TypeError: a bug\n {4}at /)
  })

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("ends in good order by %s, and by that signal", async (signal) => {
    const command = program("wait")
    await command.says("started")
    command.process.kill(signal)
    assert.deepStrictEqual(await command.ended, { code: null, signal })
    assert.strictEqual(command.stdout(), "started\nreleased\n")
  })

  it("takes the Ctrl-C that npm passes on as the same one, and a second one at its word", async () => {
    const command = program("cling")
    await command.says("started")
    command.process.kill("SIGINT")
    await pause(20)
    command.process.kill("SIGINT")
    assert.strictEqual(await Promise.race([command.ended, pause(600).then(() => "running")]), "running")
    command.process.kill("SIGINT")
    assert.deepStrictEqual(await command.ended, { code: null, signal: "SIGINT" })
  })

  it("ends quietly when nobody reads any more", async () => {
    const command = program("talk")
    await command.says("still here")
    command.process.stdout?.destroy()
    assert.deepStrictEqual(await command.ended, { code: 0, signal: null })
    assert.strictEqual(command.stderr(), "")
  })
})
