/**
 * What the embedded Gorse knows, and what it concludes from it.
 *
 * Two items are alike by the users that they share, two users by the items that they share (the cosine of their sets); a
 * user is recommended what is like what the user dealt with, then what is popular, then what is latest.
 *
 * @internal
 */

/** An item. */
export interface Item {
  readonly id: string
  readonly hidden: boolean
  readonly categories: ReadonlySet<string>
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** What a user did with an item. */
export interface Deed {
  readonly type: string
  readonly userId: string
  readonly itemId: string
  readonly value: number
  /** Milliseconds since the epoch: the first time. */
  readonly timestamp: number
}

/** An id with what speaks for it. */
export type Score = readonly [id: string, score: number]

/** Which items of a list. */
export interface Choice {
  readonly categories: ReadonlyArray<string>
  readonly unseenBy: string | undefined
  readonly count: number
  readonly offset: number
}

/** By their scores, the highest first; by their ids where those are equal, so that the order is the same every time. */
const ranked = (scores: Iterable<Score>): Array<Score> =>
  [...scores].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))

const add = (index: Map<string, Map<string, number>>, key: string, other: string, by: number): void => {
  const counts = index.get(key) ?? new Map<string, number>()
  const count = (counts.get(other) ?? 0) + by
  if (count === 0) counts.delete(other)
  else counts.set(other, count)
  if (counts.size === 0) index.delete(key)
  else index.set(key, counts)
}

const none: ReadonlyMap<string, number> = new Map()

export class GorseStore {
  readonly users = new Set<string>()
  readonly items = new Map<string, Item>()
  /** What each user did. */
  readonly #deedsOf = new Map<string, Map<string, Deed>>()
  /** The items of each user, and the users of each item, with how many deeds there are between them. */
  readonly #itemsOf = new Map<string, Map<string, number>>()
  readonly #usersOf = new Map<string, Map<string, number>>()

  insertItem(item: Item): void {
    this.items.set(item.id, item)
  }

  /** Inserts a deed, or adds it to the one that is there: values add up, the earlier time stays. */
  insertDeed(deed: Deed, overwrite: boolean): void {
    const deeds = this.#deedsOf.get(deed.userId) ?? new Map<string, Deed>()
    this.#deedsOf.set(deed.userId, deeds)
    const key = JSON.stringify([deed.type, deed.itemId])
    const there = deeds.get(key)
    if (there === undefined) this.#count(deed, 1)
    deeds.set(
      key,
      there === undefined || overwrite
        ? deed
        : { ...deed, value: there.value + deed.value, timestamp: Math.min(there.timestamp, deed.timestamp) }
    )
  }

  /** Removes the deeds of a user, on an item, of a type, as far as they are named; how many there were. */
  deleteDeeds({ itemId, type, userId }: Partial<Pick<Deed, "itemId" | "type" | "userId">>): number {
    let removed = 0
    for (const user of userId === undefined ? [...(this.#usersOf.get(itemId ?? "")?.keys() ?? [])] : [userId]) {
      const deeds = this.#deedsOf.get(user)
      for (const [key, deed] of deeds ?? []) {
        if ((itemId !== undefined && deed.itemId !== itemId) || (type !== undefined && deed.type !== type)) continue
        deeds!.delete(key)
        this.#count(deed, -1)
        removed++
      }
      if (deeds?.size === 0) this.#deedsOf.delete(user)
    }
    return removed
  }

  #count(deed: Deed, by: number): void {
    add(this.#itemsOf, deed.userId, deed.itemId, by)
    add(this.#usersOf, deed.itemId, deed.userId, by)
  }

  /** The items that a user has dealt with by now. */
  seen(userId: string | undefined, now: number): ReadonlySet<string> {
    const seen = new Set<string>()
    for (const deed of this.#deedsOf.get(userId ?? "")?.values() ?? []) {
      if (deed.timestamp <= now) seen.add(deed.itemId)
    }
    return seen
  }

  /** What a user may be shown next. */
  recommend(userId: string, choice: Choice, now: number): ReadonlyArray<Score> {
    const own = this.seen(userId, now)
    const scores = new Map<string, number>()
    for (const itemId of own) {
      for (const [id, score] of this.#alike(itemId, this.#usersOf, this.#itemsOf)) {
        if (!own.has(id)) scores.set(id, (scores.get(id) ?? 0) + score)
      }
    }
    const chosen = new Map<string, number>()
    for (const scored of [ranked(scores), this.#popularity(), this.#byTime()]) {
      for (const [id, score] of scored) if (!chosen.has(id)) chosen.set(id, score)
    }
    return this.#choose(chosen, { ...choice, unseenBy: userId }, now)
  }

  similarItems(itemId: string, choice: Choice, now: number): ReadonlyArray<Score> {
    return this.#choose(ranked(this.#alike(itemId, this.#usersOf, this.#itemsOf)), choice, now)
  }

  similarUsers(userId: string, { count, offset }: Pick<Choice, "count" | "offset">): ReadonlyArray<Score> {
    const alike = this.#alike(userId, this.#itemsOf, this.#usersOf)
    return ranked([...alike].filter(([id]) => this.users.has(id))).slice(offset, offset + count)
  }

  popular(choice: Choice, now: number): ReadonlyArray<Score> {
    return this.#choose(this.#popularity(), choice, now)
  }

  latest(choice: Choice, now: number): ReadonlyArray<Score> {
    return this.#choose(this.#byTime(), choice, now)
  }

  /** The cosine of the sets of others that two have: items by their users, users by their items. */
  #alike(
    id: string,
    othersOf: ReadonlyMap<string, ReadonlyMap<string, number>>,
    back: ReadonlyMap<string, ReadonlyMap<string, number>>
  ): Map<string, number> {
    const own = othersOf.get(id) ?? none
    const shared = new Map<string, number>()
    for (const other of own.keys()) {
      for (const third of (back.get(other) ?? none).keys()) {
        if (third !== id) shared.set(third, (shared.get(third) ?? 0) + 1)
      }
    }
    for (const [third, count] of shared) shared.set(third, count / Math.sqrt(own.size * othersOf.get(third)!.size))
    return shared
  }

  #popularity(): ReadonlyArray<Score> {
    return ranked([...this.#usersOf].map(([id, users]) => [id, users.size] as const))
  }

  #byTime(): ReadonlyArray<Score> {
    return ranked([...this.items.values()].map(({ id, timestamp }) => [id, Math.floor(timestamp / 1000)] as const))
  }

  #choose(scores: Iterable<Score>, { categories, count, offset, unseenBy }: Choice, now: number): ReadonlyArray<Score> {
    const seen = this.seen(unseenBy, now)
    return [...scores]
      .filter(([id]) => {
        const item = this.items.get(id)
        return (
          item !== undefined &&
          !item.hidden &&
          !seen.has(id) &&
          categories.every((category) => item.categories.has(category))
        )
      })
      .slice(offset, offset + count)
  }
}
