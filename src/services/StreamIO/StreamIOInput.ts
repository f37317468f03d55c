/**
 * What the operations of Stream take, and what every layer refuses before anything is sent.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { InvalidRequest } from "../../operation/Reason.ts"

/** The application's own data on a thing: what JSON can say. */
export type Custom = Readonly<Record<string, unknown>>

/** Who follows whom. */
export interface FollowPair {
  /** Who follows. */
  readonly userId: string
  /** Who is followed. */
  readonly targetId: string
  /** The feed that follows, `group:id`. Default: the user's `timeline`. */
  readonly feedId?: string | undefined
  /** The feed that is followed, `group:id`. Default: the target's `user` feed. */
  readonly targetFeedId?: string | undefined
}

/** Input of `follow`. */
export interface FollowInput extends FollowPair {
  /** Whether the target is notified, the first time. Default `true`. */
  readonly notify?: boolean | undefined
  /** How many of the target's older activities come into the feed, 0 to 1000. Default: all. */
  readonly copyLimit?: number | undefined
}

/** Input of `unfollow`. */
export interface UnfollowInput extends FollowPair {
  /** Whether the target's activities stay in the feed. Default `false`. */
  readonly keepHistory?: boolean | undefined
}

/** Input of `createActivity`: something that a user did, to be put into feeds. */
export interface CreateActivity {
  /** Who does it. */
  readonly userId: string
  /** What is done: `post`, `repost`. */
  readonly type: string
  /**
   * An id of the application's own: the activity that has it already is replaced, so that trying again makes no second one.
   * Without it Stream makes an id, and an attempt whose outcome is unknown is not repeated.
   */
  readonly id?: string | undefined
  /** The feeds that it is put into, `group:id`, 1 to 25. Default: the user's `user` feed. */
  readonly feedIds?: ReadonlyArray<string> | undefined
  readonly text?: string | undefined
  readonly custom?: Custom | undefined
  /** Who may see it. Default `public`. */
  readonly visibility?: "public" | "private" | undefined
  /** Who is mentioned in it: at most 100. */
  readonly mentionedUserIds?: ReadonlyArray<string> | undefined
  /** Whether who is mentioned is notified. Default `true`. */
  readonly notify?: boolean | undefined
}

/** Input of `deleteActivity`: takes an activity out of every feed. */
export interface DeleteActivity {
  readonly activityId: string
  /** Whether it is gone for good, or can be restored. Default `false`. */
  readonly hard?: boolean | undefined
}

/** Input of `getFeed`: a page of a feed, the latest first. */
export interface GetFeed {
  /** Who reads. */
  readonly userId: string
  /** The feed, `group:id`. Default: the user's `timeline`. */
  readonly feedId?: string | undefined
  /** At most so many activities, 1 to 100. Default 25. */
  readonly limit?: number | undefined
  /** Where a page before this one said that the next begins. */
  readonly next?: string | undefined
}

/** Input of `getNotifications`: a page of what a user is notified of, the latest first. */
export interface GetNotifications {
  /** Who is notified. */
  readonly userId: string
  /** The feed, `group:id`. Default: the user's `notification` feed. */
  readonly feedId?: string | undefined
  /** At most so many notifications, 1 to 100. Default 25. */
  readonly limit?: number | undefined
  /** Where a page before this one said that the next begins. */
  readonly next?: string | undefined
}

/** Input of `markNotificationsRead`. */
export interface MarkNotificationsRead {
  readonly userId: string
  /** The feed, `group:id`. Default: the user's `notification` feed. */
  readonly feedId?: string | undefined
  /** The ids of notifications. Default: all of them. */
  readonly ids?: ReadonlyArray<string> | undefined
}

/** Input of `deleteReaction`: names a reaction by whose it is, to what, and its type. */
export interface ReactionKey {
  readonly userId: string
  readonly activityId: string
  /** `like`, `repost`. A user has at most one of a type on an activity. */
  readonly type: string
}

/** Input of `addReaction`: a reaction of that user and type that is there already is replaced. */
export interface AddReaction extends ReactionKey {
  readonly custom?: Custom | undefined
  /** Whether it takes the place of the user's reactions of other types. Default `false`. */
  readonly unique?: boolean | undefined
  /** Whether the activity's author is notified. Default `true`. */
  readonly notify?: boolean | undefined
}

/** Input of `getFollowers`: a stream of who follows a user. */
export interface GetFollowers {
  readonly userId: string
  /** The feed that is followed, `group:id`. Default: the user's `user` feed. */
  readonly feedId?: string | undefined
  /** At most so many in all. Default: all there are. They are read in pages, as they are taken. */
  readonly limit?: number | undefined
}

/** Input of `getFollowing`: a stream of whom a user follows. */
export interface GetFollowing {
  readonly userId: string
  /** The feed that follows, `group:id`. Default: the user's `timeline`. */
  readonly feedId?: string | undefined
  /** At most so many in all. Default: all there are. They are read in pages, as they are taken. */
  readonly limit?: number | undefined
}

/** Input of `upsertUser`: what was known of a user who is there is replaced. */
export interface UpsertUser {
  readonly userId: string
  readonly name?: string | undefined
  /** A URL. */
  readonly image?: string | undefined
  /** Default `user`. */
  readonly role?: string | undefined
  readonly custom?: Custom | undefined
}

/** Input of `createToken`: what a user's client signs in with. Nothing is sent: it is signed here. */
export interface CreateToken {
  readonly userId: string
  /** How long it is valid; `"Infinity"`: for good. Default 1 hour. */
  readonly expiresIn?: Duration.Input | undefined
}

/** At most so many, where nothing else is said. */
export const DEFAULT_LIMIT = 25

/** The most of one page. */
export const MAX_LIMIT = 100

/** What a user posts. */
export const userFeed = (userId: string): string => `user:${userId}`

/** What a user reads: what those post whom the user follows. */
export const timelineFeed = (userId: string): string => `timeline:${userId}`

/** What a user is notified of. */
export const notificationFeed = (userId: string): string => `notification:${userId}`

/** The feed that follows. */
export const sourceOf = (pair: FollowPair): string => pair.feedId ?? timelineFeed(pair.userId)

/** The feed that is followed. */
export const targetOf = (pair: FollowPair): string => pair.targetFeedId ?? userFeed(pair.targetId)

/** The feeds that an activity is put into. */
export const feedsOf = (input: CreateActivity): ReadonlyArray<string> => input.feedIds ?? [userFeed(input.userId)]

/** Group and id of a feed. */
export const splitFeed = (feedId: string): readonly [group: string, id: string] => {
  const colon = feedId.indexOf(":")
  return [feedId.slice(0, colon), feedId.slice(colon + 1)]
}

// ---------------------------------------------------------------------------------------------------------------------
// What is refused
// ---------------------------------------------------------------------------------------------------------------------

type Wrong = (value: unknown) => string | undefined

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80).toWellFormed()} …` : text
}

/** Ids are parts of paths, where `.` and `..` are steps, encoded or not. Everything else is encoded. */
const isId = (value: unknown): value is string =>
  typeof value === "string" &&
  value.length <= 255 &&
  value !== "." &&
  value !== ".." &&
  value.isWellFormed() &&
  /^[^\p{Cc}]*[^\p{Cc}\s][^\p{Cc}]*$/u.test(value)

const wrongId: Wrong = (value) =>
  isId(value) ? undefined : 'at most 255 characters, not blank, no control characters, not "." or ".."'

/** A colon parts group and id of a feed, and a user's feeds have the user's id. */
const wrongUser: Wrong = (value) =>
  isId(value) && !value.includes(":") ? undefined : 'at most 255 characters, not blank, no control characters, no ":"'

const wrongFeed: Wrong = (value) => {
  const parts = typeof value === "string" ? value.split(":") : []
  return parts.length === 2 && parts.every(isId) ? undefined : "a feed's id: group:id"
}

const integer =
  (least: number, most: number): Wrong =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : most === Infinity
        ? `an integer, at least ${least}`
        : `an integer from ${least} to ${most}`

const list =
  (wrong: Wrong, least: number, most: number): Wrong =>
  (values) => {
    if (!Array.isArray(values) || values.length < least || values.length > most) return `a list of ${least} to ${most}`
    const expected = values.map(wrong).find((one) => one !== undefined)
    return expected === undefined ? undefined : `a list of which each is ${expected}`
  }

const wrongDuration: Wrong = (value) =>
  Option.exists(Duration.fromInput(value as Duration.Input), (duration) => Duration.toMillis(duration) >= 1000)
    ? undefined
    : "a duration of at least 1 second"

/** The fields of all inputs. A limit is of a page where `next` may be given, and in all otherwise. */
const fields = (paged: boolean): Readonly<Record<string, Wrong>> => ({
  userId: wrongUser,
  targetId: wrongUser,
  feedId: wrongFeed,
  targetFeedId: wrongFeed,
  id: wrongId,
  activityId: wrongId,
  type: wrongId,
  feedIds: list(wrongFeed, 1, 25),
  mentionedUserIds: list(wrongUser, 0, 100),
  ids: list(wrongId, 1, 100),
  copyLimit: integer(0, 1000),
  limit: integer(1, paged ? MAX_LIMIT : Infinity),
  expiresIn: wrongDuration
})

const ofPages = fields(true)
const ofAll = fields(false)

/** What is wrong with the input of an operation, if anything is. */
export const refuse = (input: object, paged: boolean): InvalidRequest | undefined => {
  const wrong = paged ? ofPages : ofAll
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined || !Object.hasOwn(wrong, name)) continue
    const expected = wrong[name]!(value)
    if (expected !== undefined)
      return new InvalidRequest({ message: `${name} is ${shown(value)}: expected ${expected}` })
  }
  return undefined
}
