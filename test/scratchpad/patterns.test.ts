/** Each pattern runs by itself and prints its trace. */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { endAfterEach, start } from "./command.ts"

endAfterEach()

const folder = "scratchpad/patterns"

/** What is to be seen of each. */
const shows: Readonly<Record<string, ReadonlyArray<RegExp>>> = {
  "automatic-database-spans": [
    /tracks\.tour.*\n.*├─ db\.create_table.*\n.*├─ db\.insert.*\n.*├─ db\.begin.*\n.*├─ db\.update .*\n.*├─ db\.commit.*\n.*├─ db\.select.*2 rows\n✗ └─ db\.insert/,
    /Conflict: duplicate key value violates unique constraint "tracks_pkey" \(SQLSTATE 23505\)/
  ],
  "cache-with-business-event": [
    /cache\.hit=false[^]*db\.select[^]*cache\.set[^]*trace [^]*result\.from_cache=true[^]*cache\.hit=true/
  ],
  "external-call-with-retry": [
    /5 spans .* 2 retries/,
    /tempo\.analyse[^]*retry 1[^]*retry 2[^]*GET \/tracks\/\{id\}[^]*resend_count=1[^]*resend_count=2/
  ],
  "multi-step-operation": [
    /user\.id=u_mara {2}request\.id=import-7/,
    /feed\.create_post[^]*IndexAway: connection refused \(handled\)[^]*db\.insert[^]*s3\.put_object[^]*es\.index[^]*gorse\.insert_user_item/
  ],
  "handler-end-to-end": [
    /user\.id=u_mara .*trace\.correlation_id=session-9/,
    /profile\.open.*\n +└─ GET \/users\/\{id\}.*\n(.*\n)? +└─ GET \/users\/:id.*\n +└─ db\.select/
  ]
}

describe("patterns", () => {
  it("are all tested", () => {
    const files = readdirSync(fileURLToPath(new URL(`../../${folder}`, import.meta.url)))
    assert.sameMembers(files, [...Object.keys(shows).map((name) => `${name}.ts`), "run.ts"])
  })

  it.each(Object.keys(shows))("%s", { timeout: 60_000 }, async (name) => {
    const command = start(`${folder}/run.ts`, [name])
    assert.deepStrictEqual(await command.ended, { code: 0, signal: null }, command.stderr())
    for (const expected of shows[name]!) assert.match(command.stdout(), expected)
  })

  it("are listed where none is named, or an unknown one", async () => {
    const list = start(`${folder}/run.ts`)
    assert.deepStrictEqual(await list.ended, { code: 0, signal: null })
    for (const name of Object.keys(shows)) assert.include(list.stdout(), `npm run pattern -- ${name}`)
    const unknown = start(`${folder}/run.ts`, ["../app/main"])
    assert.deepStrictEqual(await unknown.ended, { code: 1, signal: null })
    assert.include(unknown.stderr(), "there is no pattern")
  })
})
