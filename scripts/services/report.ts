/**
 * What the script says, one line a fact: `start    jaeger         http://127.0.0.1:43127 (process 4711, 0.1 s)`.
 */
export type Verb = "install" | "build" | "start" | "skip" | "stop" | "run" | "fail"

export const say = (verb: Verb, name: string, text: string): void => {
  console.log(`${verb.padEnd(8)} ${name.padEnd(14)} ${text}`)
}

export const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

/** A stop watch: the time since it was made, as text. */
export const timer = (): (() => string) => {
  const start = performance.now()
  return () => seconds(performance.now() - start)
}
