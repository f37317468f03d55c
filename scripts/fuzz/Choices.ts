/**
 * The choices of which an input is made. Every generator asks for integers; what it was given is written down, as a tape. A tape
 * makes the same input again, and a shorter tape, or one with smaller numbers, makes a simpler one: so inputs shrink without a
 * line of code of their own. Generators see to it that 0 is the simplest choice.
 */

/** A number that follows from a text and some numbers: each case of each target has a seed of its own. */
export const hash = (text: string, ...numbers: ReadonlyArray<number>): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  for (const number of numbers) value = Math.imul(value ^ (number >>> 0), 0x01000193) ^ (value >>> 15)
  return value >>> 0
}

/** A source of 32 random bits at a time, the same for the same seed on every machine (SplitMix32). */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let bits = state
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad)
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
    return (bits ^ (bits >>> 15)) >>> 0
  }
}

/** More choices than these are no choices: an input stays of a size that can be looked at. */
const most = 50_000

/** Gives choices, at random or from a tape, and writes them down. */
export class Choices {
  readonly tape: Array<number> = []
  readonly #next: (limit: number) => number

  private constructor(next: (limit: number) => number) {
    this.#next = next
  }

  static random(seed: number): Choices {
    const random = randomOf(seed)
    return new Choices((limit) => random() % limit)
  }

  /** Where the tape ends, all further choices are the simplest. */
  static replay(tape: ReadonlyArray<number>): Choices {
    let at = 0
    return new Choices((limit) => Math.min(tape[at++] ?? 0, limit - 1))
  }

  /** An integer from 0 to below the limit. */
  below(limit: number): number {
    if (limit <= 1 || this.tape.length >= most) return 0
    const chosen = this.#next(limit)
    this.tape.push(chosen)
    return chosen
  }

  /** An integer, both bounds included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === times - 1
  }

  pick<A>(options: ReadonlyArray<A>): A {
    return options[this.below(options.length)]!
  }

  /** One of several ways to make something. */
  oneOf<A>(...makers: ReadonlyArray<(choices: Choices) => A>): A {
    return makers[this.below(makers.length)]!(this)
  }

  /** A list: after each element it is chosen whether there is another one, so that elements can be taken out of a tape. */
  list<A>(longest: number, make: (choices: Choices) => A): Array<A> {
    const elements: Array<A> = []
    const mean = this.once(8) ? longest : Math.min(longest, 6)
    while (elements.length < longest && this.below(mean + 1) > 0) elements.push(make(this))
    return elements
  }

  /** A text of characters of an alphabet. */
  text(longest: number, alphabet: string | ReadonlyArray<string> = anything): string {
    const characters = typeof alphabet === "string" ? [...alphabet] : alphabet
    return this.list(longest, (choices) => choices.pick(characters)).join("")
  }

  bytes(longest: number): Uint8Array {
    return Uint8Array.from(this.list(longest, (choices) => choices.below(256)))
  }

  /** Now and then a text with a piece of it changed. */
  mutated(text: string, alphabet: string | ReadonlyArray<string> = anything): string {
    if (!this.once(3)) return text
    let out = text
    for (const _ of this.list(3, () => undefined)) {
      const at = this.below(out.length + 1)
      const end = at + this.below(Math.min(4, out.length - at + 1))
      out = out.slice(0, at) + this.text(3, alphabet) + out.slice(end)
    }
    return out
  }
}

export const lower = "abcdefghijklmnopqrstuvwxyz"
export const upper = lower.toUpperCase()
export const digits = "0123456789"
export const letters = lower + upper + digits
export const hex = `${digits}abcdef`
export const printable = `${letters} !"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`

/** Characters of every kind that somewhere means something: controls, quotes, marks of directions, halves of pairs. */
export const anything: ReadonlyArray<string> = [
  ..."a1 =:,;&?/\\\"'-_.%@#{}[]()<>|`$*+~^!Z",
  ..."\u0000\t\n\r\u001b\u007f\u0085\u00a0\u00e9\u00ff\u200b\u200e\u202e\u2028\ufeff\uffff",
  "\ud800",
  "\udc00",
  "🎧",
  "é",
  "日",
  "👩‍👩‍👧",
  "__proto__",
  "constructor"
]
