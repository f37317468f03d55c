/**
 * What the embedded Stream keeps: users, activities, feeds, follows, reactions, notifications.
 *
 * An activity is fanned out when it is written: into the feeds that it is put into, and into those that follow them (not
 * further). Each place remembers by which feed it came, so that unfollowing takes out the right ones.
 *
 * @internal
 */
import { randomUUID } from "node:crypto"
import { InvalidRequest, NotFound } from "../../operation/Reason.ts"
import { notificationFeed } from "./StreamIOInput.ts"

type Custom = Readonly<Record<string, unknown>>

export interface UserRecord {
  readonly id: string
  readonly name: string | undefined
  readonly image: string | undefined
  readonly role: string
  readonly custom: Custom
  readonly createdAt: number
  readonly updatedAt: number
}

export interface ReactionRecord {
  readonly userId: string
  readonly type: string
  readonly custom: Custom
  readonly createdAt: number
}

export interface ActivityRecord {
  readonly id: string
  readonly type: string
  readonly userId: string
  readonly text: string | undefined
  readonly feedIds: ReadonlyArray<string>
  readonly custom: Custom
  /** Whether only who did it sees it. */
  readonly isPrivate: boolean
  readonly createdAt: number
  readonly updatedAt: number
  /** The order of activities that are of the same time. */
  readonly order: number
  readonly reactions: Map<string, ReactionRecord>
}

export interface FollowRecord {
  readonly feedId: string
  readonly targetFeedId: string
  readonly createdAt: number
}

/** Activities of a notification feed that belong together. */
export interface Group {
  readonly id: string
  /** The latest first. */
  readonly activities: ReadonlyArray<ActivityRecord>
  readonly isRead: boolean
  readonly isSeen: boolean
}

export interface ActivityInput {
  readonly id: string | undefined
  readonly type: string
  readonly userId: string
  readonly text: string | undefined
  readonly feedIds: ReadonlyArray<string>
  readonly custom: Custom
  readonly isPrivate: boolean
}

interface FeedRecord {
  readonly createdBy: string
  /** Activities, with the feeds by which they came: itself, or feeds that it follows. */
  readonly entries: Map<string, Set<string>>
  /** Of notifications: the order of the latest activity of a group that was read, and seen. */
  readonly read: Map<string, number>
  readonly seen: Map<string, number>
}

/** Activities that stay after the feed by which they came is followed no more. */
const kept = ""

const missing = (what: string, id: string): NotFound =>
  new NotFound({ message: `the ${what} ${JSON.stringify(id.slice(0, 80))} does not exist`, status: 404, code: 16 })

const latestFirst = (a: ActivityRecord, b: ActivityRecord): number => b.createdAt - a.createdAt || b.order - a.order

const dayOf = (millis: number): string => new Date(millis).toISOString().slice(0, 10)

/** A page of a list, and where the next begins. */
export const pageOf = <A>(
  all: ReadonlyArray<A>,
  positionOf: (one: A) => readonly [time: number, order: number],
  limit: number,
  next: string | undefined
): { readonly page: ReadonlyArray<A>; readonly next: string | undefined } => {
  const [time, order] = next === undefined ? [Infinity, Infinity] : parseCursor(next)
  const rest = all.filter((one) => {
    const [at, nth] = positionOf(one)
    return at < time || (at === time && nth < order)
  })
  const page = rest.slice(0, limit)
  return { page, next: rest.length > page.length ? positionOf(page.at(-1)!).join("-") : undefined }
}

const parseCursor = (next: string): readonly [number, number] => {
  const match = /^(\d+)-(\d+)$/.exec(next)
  if (match === null) {
    throw new InvalidRequest({ message: "next is no cursor that a page before gave", status: 400, code: 4 })
  }
  return [Number(match[1]), Number(match[2])]
}

export class StreamIOStore {
  readonly #maxActivities: number
  readonly #users = new Map<string, UserRecord>()
  readonly #activities = new Map<string, ActivityRecord>()
  readonly #feeds = new Map<string, FeedRecord>()
  /** By the feed that follows, then by the one that is followed; and the other way round. */
  readonly #following = new Map<string, Map<string, FollowRecord>>()
  readonly #followers = new Map<string, Map<string, FollowRecord>>()
  #order = 0
  now = 0

  constructor(maxActivities: number) {
    this.#maxActivities = maxActivities
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Users
  // -------------------------------------------------------------------------------------------------------------------

  upsertUser(user: Omit<UserRecord, "createdAt" | "updatedAt">): UserRecord {
    const record = { ...user, createdAt: this.#users.get(user.id)?.createdAt ?? this.now, updatedAt: this.now }
    this.#users.set(user.id, record)
    return record
  }

  #user(id: string): UserRecord {
    const user = this.#users.get(id)
    if (user === undefined) throw missing("user", id)
    return user
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Follows
  // -------------------------------------------------------------------------------------------------------------------

  follow(pair: {
    readonly userId: string
    readonly targetId: string
    readonly feedId: string
    readonly targetFeedId: string
    readonly copyLimit: number
    readonly notify: boolean
  }): { readonly follow: FollowRecord; readonly created: boolean } {
    const { copyLimit, feedId, notify, targetFeedId, targetId, userId } = pair
    if (feedId === targetFeedId) {
      throw new InvalidRequest({ message: `the feed ${feedId} cannot follow itself`, status: 400, code: 4 })
    }
    const source = this.feed(feedId, userId)
    const target = this.feed(targetFeedId, targetId)
    const there = this.#following.get(feedId)?.get(targetFeedId)
    if (there !== undefined) return { follow: there, created: false }
    const follow = { feedId, targetFeedId, createdAt: this.now }
    put(this.#following, feedId, targetFeedId, follow)
    put(this.#followers, targetFeedId, feedId, follow)
    for (const { id } of this.#own(targetFeedId, target).slice(0, copyLimit)) enter(source, id, targetFeedId)
    if (notify && userId !== targetId) {
      this.#notify(targetId, { type: "follow", userId, targetId, custom: { target_feed: targetFeedId } })
    }
    return { follow, created: true }
  }

  unfollow(feedId: string, targetFeedId: string, keepHistory: boolean): boolean {
    if (this.#following.get(feedId)?.delete(targetFeedId) !== true) return false
    this.#followers.get(targetFeedId)?.delete(feedId)
    for (const [id, via] of this.#feeds.get(feedId)?.entries ?? []) {
      if (!via.delete(targetFeedId)) continue
      if (keepHistory) via.add(kept)
      if (via.size === 0) this.#feeds.get(feedId)!.entries.delete(id)
    }
    return true
  }

  /** The latest first. */
  follows(side: "followers" | "following", feedId: string): ReadonlyArray<FollowRecord> {
    return [...((side === "followers" ? this.#followers : this.#following).get(feedId)?.values() ?? [])].toReversed()
  }

  /** Whose a feed is. */
  ownerOf(feedId: string): string {
    return this.#feeds.get(feedId)!.createdBy
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Activities and feeds
  // -------------------------------------------------------------------------------------------------------------------

  createActivity(input: ActivityInput, mentioned: ReadonlyArray<string>): ActivityRecord {
    this.#user(input.userId)
    for (const id of mentioned) this.#user(id)
    const id = input.id ?? randomUUID()
    const before = this.#activities.get(id)
    if (before !== undefined) this.#takeOut(before)
    const activity: ActivityRecord = {
      ...input,
      id,
      createdAt: before?.createdAt ?? this.now,
      updatedAt: this.now,
      order: before?.order ?? ++this.#order,
      reactions: before?.reactions ?? new Map()
    }
    this.#activities.set(id, activity)
    for (const feedId of activity.feedIds) {
      enter(this.feed(feedId, input.userId), id, feedId)
      for (const follower of this.#followers.get(feedId)?.keys() ?? []) enter(this.#feeds.get(follower)!, id, feedId)
    }
    for (const targetId of mentioned) {
      if (targetId !== input.userId) {
        this.#notify(targetId, { type: "mention", userId: input.userId, targetId: id, custom: { activity_id: id } })
      }
    }
    this.#makeRoom()
    return activity
  }

  deleteActivity(id: string): boolean {
    const activity = this.#activities.get(id)
    if (activity === undefined) return false
    this.#takeOut(activity)
    this.#activities.delete(id)
    return true
  }

  #takeOut(activity: ActivityRecord): void {
    for (const feedId of activity.feedIds) {
      this.#feeds.get(feedId)?.entries.delete(activity.id)
      for (const follower of this.#followers.get(feedId)?.keys() ?? []) {
        this.#feeds.get(follower)?.entries.delete(activity.id)
      }
    }
  }

  #makeRoom(): void {
    for (const id of this.#activities.keys()) {
      if (this.#activities.size <= this.#maxActivities) return
      this.deleteActivity(id)
    }
  }

  /** A feed, made where there is none. */
  feed(feedId: string, userId: string): FeedRecord {
    this.#user(userId)
    const there = this.#feeds.get(feedId)
    if (there !== undefined) return there
    const feed = { createdBy: userId, entries: new Map(), read: new Map(), seen: new Map() }
    this.#feeds.set(feedId, feed)
    return feed
  }

  /** The activities of a feed that a user sees, the latest first. */
  activitiesOf(feedId: string, userId: string): ReadonlyArray<ActivityRecord> {
    return this.#listed(this.feed(feedId, userId).entries.keys()).filter(
      (activity) => !activity.isPrivate || activity.userId === userId
    )
  }

  #own(feedId: string, { entries }: FeedRecord): ReadonlyArray<ActivityRecord> {
    return this.#listed([...entries].filter(([, via]) => via.has(feedId)).map(([id]) => id))
  }

  /** What was kept of a feed that is followed no more may be gone. */
  #listed(ids: Iterable<string>): ReadonlyArray<ActivityRecord> {
    const found: Array<ActivityRecord> = []
    for (const id of ids) {
      const activity = this.#activities.get(id)
      if (activity !== undefined) found.push(activity)
    }
    return found.sort(latestFirst)
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Reactions and notifications
  // -------------------------------------------------------------------------------------------------------------------

  addReaction(
    activityId: string,
    reaction: Omit<ReactionRecord, "createdAt">,
    { notify, unique }: { readonly notify: boolean; readonly unique: boolean }
  ): ReactionRecord {
    const { type, userId } = reaction
    this.#user(userId)
    const activity = this.#activities.get(activityId)
    if (activity === undefined) throw missing("activity", activityId)
    const key = JSON.stringify([userId, type])
    const record = { ...reaction, createdAt: activity.reactions.get(key)?.createdAt ?? this.now }
    if (unique) {
      for (const [other, { userId: by }] of activity.reactions) if (by === userId) activity.reactions.delete(other)
    }
    activity.reactions.set(key, record)
    if (notify && userId !== activity.userId) {
      const custom = { activity_id: activityId, reaction_type: type }
      this.#notify(activity.userId, { type: "reaction", userId, targetId: activityId, custom })
    }
    return record
  }

  deleteReaction(activityId: string, userId: string, type: string): boolean {
    return this.#activities.get(activityId)?.reactions.delete(JSON.stringify([userId, type])) ?? false
  }

  /** Notifies a user once of the same thing by the same user. */
  #notify(
    ownerId: string,
    what: { readonly type: string; readonly userId: string; readonly targetId: string; readonly custom: Custom }
  ): void {
    const feedId = notificationFeed(ownerId)
    const feed = this.feed(feedId, ownerId)
    const id = `notification:${JSON.stringify([feedId, what.type, what.userId, what.custom])}`
    if (feed.entries.has(id)) return
    const activity: ActivityRecord = {
      id,
      type: what.type,
      userId: what.userId,
      text: undefined,
      feedIds: [feedId],
      custom: { ...what.custom, target_id: what.targetId },
      isPrivate: false,
      createdAt: this.now,
      updatedAt: this.now,
      order: ++this.#order,
      reactions: new Map()
    }
    this.#activities.set(id, activity)
    enter(feed, id, feedId)
  }

  /** The groups of a feed of notifications, the one with the latest activity first: by target, type and day. */
  groupsOf(feedId: string, userId: string): ReadonlyArray<Group> {
    const { read, seen } = this.feed(feedId, userId)
    const groups = new Map<string, Array<ActivityRecord>>()
    for (const activity of this.activitiesOf(feedId, userId)) {
      const target = activity.custom["target_id"] ?? activity.id
      const id = `${String(target)}_${activity.type}_${dayOf(activity.createdAt)}`
      const there = groups.get(id)
      if (there === undefined) groups.set(id, [activity])
      else there.push(activity)
    }
    return [...groups].map(([id, activities]) => {
      const latest = activities[0]!.order
      return { id, activities, isRead: (read.get(id) ?? 0) >= latest, isSeen: (seen.get(id) ?? 0) >= latest }
    })
  }

  markRead(feedId: string, userId: string, ids: ReadonlyArray<string> | undefined): void {
    const feed = this.feed(feedId, userId)
    for (const { activities, id } of this.groupsOf(feedId, userId)) {
      if (ids !== undefined && !ids.includes(id)) continue
      feed.read.set(id, activities[0]!.order)
      feed.seen.set(id, activities[0]!.order)
    }
  }
}

const put = <A>(index: Map<string, Map<string, A>>, key: string, other: string, value: A): void => {
  const there = index.get(key)
  if (there === undefined) index.set(key, new Map([[other, value]]))
  else there.set(other, value)
}

const enter = (feed: FeedRecord, activityId: string, via: string): void => {
  const there = feed.entries.get(activityId)
  if (there === undefined) feed.entries.set(activityId, new Set([via]))
  else there.add(via)
}
