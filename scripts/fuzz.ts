/**
 * Tries random inputs on everything that reads what comes from outside, and on everything that writes what goes there. What
 * does not hold is made as small as it can be and printed, with what it takes to see it again; then the exit code is 1.
 */
import { parse, textOfTape, usage } from "./fuzz/arguments.ts"
import { type Finding, replay, type Result } from "./fuzz/run.ts"
import type { Target } from "./fuzz/Target.ts"
import { targetNamed, targets } from "./fuzz/targets.ts"
import { runInThread } from "./fuzz/thread.ts"

/** A case does little: what takes so long does not end. */
const hangMillis = 20_000

const print = (target: Target, seed: number, finding: Finding): void => {
  console.log(`\nFOUND in ${target.name}: ${target.claim}\n`)
  console.log(finding.error)
  console.log(`\ninput: ${finding.input}\n`)
  const shrunk =
    finding.tries === 0
      ? ""
      : `, made of ${finding.choices} choices, ${finding.tape.length} after ${finding.tries} tries`
  console.log(`seed ${seed}, case ${finding.index}${shrunk}`)
  console.log(`the input alone:  npm run fuzz -- --target ${target.name} --tape ${textOfTape(finding.tape)}`)
  console.log(`before shrinking: npm run fuzz -- --target ${target.name} --seed ${seed} --case ${finding.index}\n`)
}

const main = async (): Promise<number> => {
  const told = parse(
    process.argv.slice(2),
    targets.map((target) => target.name)
  )
  if (told.list) {
    for (const target of targets) console.log(`${target.name.padEnd(12)} ${target.claim}`)
    return 0
  }
  const chosen = told.targets.length === 0 ? targets : told.targets.map((name) => targetNamed(name)!)
  const millis = (told.seconds * 1000) / chosen.length
  let found = 0
  for (const target of chosen) {
    const start = performance.now()
    const result: Result =
      told.tape !== undefined
        ? await replay(target, told.tape)
        : await runInThread(target, {
            seed: told.seed,
            millis: told.only === undefined ? millis : Infinity,
            hangMillis,
            ...(told.only === undefined ? {} : { from: told.only, cases: 1 })
          })
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${target.name.padEnd(12)} ${String(result.cases).padStart(8)} cases in ${seconds} s`)
    if (result.finding === undefined) continue
    found++
    print(target, told.seed, result.finding)
  }
  console.log(
    found === 0 ? `fuzz: nothing found, seed ${told.seed}` : `fuzz: ${found} of ${chosen.length} targets failed`
  )
  return found === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error(`\n${usage}`)
  process.exitCode = 2
}
