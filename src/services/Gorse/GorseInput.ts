/**
 * What the operations of Gorse take, and what every layer refuses before anything is sent.
 *
 * @internal
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { InvalidRequest } from "../../operation/Reason.ts"

/** What Gorse accepts as labels: a text, a number, lists of either, and records of all these. */
export type Labels =
  string | number | ReadonlyArray<string> | ReadonlyArray<number> | { readonly [key: string]: Labels }

/** What is known of a user. */
export interface UserDetails {
  /** What recommenders may go by: see `Labels`. */
  readonly labels?: Labels | undefined
  readonly comment?: string | undefined
}

/** What is known of an item. */
export interface ItemDetails {
  /** Whether it is never recommended. Default `false`. */
  readonly hidden?: boolean | undefined
  /** Lists of items may be narrowed down to these. Default: none. */
  readonly categories?: ReadonlyArray<string> | undefined
  /** What "latest" goes by. Default: now. */
  readonly timestamp?: DateTime.DateTime.Input | undefined
  readonly labels?: Labels | undefined
  readonly comment?: string | undefined
}

/** What is known of a user's dealing with an item. */
export interface FeedbackDetails {
  /** Which kind: `like`, `play`, `read`. */
  readonly feedbackType: string
  /** How much of it (plays, minutes, stars). Default 0. */
  readonly value?: number | undefined
  /** When. One in the future does not count yet. Default: now. */
  readonly timestamp?: DateTime.DateTime.Input | undefined
  readonly labels?: Labels | undefined
  readonly comment?: string | undefined
}

/** A user dealt with an item. */
export interface Feedback extends FeedbackDetails {
  readonly userId: string
  readonly itemId: string
}

/** Which part of a list. */
export interface Page {
  /** At most so many; at least 1. Default 10. */
  readonly count?: number | undefined
  /** How many to leave out first. Default 0. */
  readonly offset?: number | undefined
}

/** Which part of a list of items. */
export interface ItemPage extends Page {
  /** Only items that are in all of these. */
  readonly categories?: ReadonlyArray<string> | undefined
}

/** Input of `insertUser`: what was known of a user who is there is replaced. */
export interface InsertUser extends UserDetails {
  readonly userId: string
}

/** Input of `insertItem`: what was known of an item that is there is replaced. */
export interface InsertItem extends ItemDetails {
  readonly itemId: string
}

/** Input of `insertUserItem`: this user interacted with this item. Both are made where they are not there. */
export interface InsertUserItem extends Feedback {
  /** What the user becomes. Without it, a user that is there stays as it is. */
  readonly user?: UserDetails | undefined
  /** What the item becomes. Without it, an item that is there stays as it is. */
  readonly item?: ItemDetails | undefined
  /** Whether to replace feedback of this type that is there; otherwise the values add up. Default `false`. */
  readonly overwrite?: boolean | undefined
}

/** Input of `insertFeedback`: many users' dealings with items, in one request. */
export interface InsertFeedback {
  readonly feedback: ReadonlyArray<Feedback>
  /** Whether to replace feedback that is there; otherwise the values add up. Default `false`. */
  readonly overwrite?: boolean | undefined
}

/** Input of `deleteFeedback`: what a user did with an item, forgotten. */
export interface DeleteFeedback {
  readonly userId: string
  readonly itemId: string
  /** Only of this type. Default: of all types. */
  readonly feedbackType?: string | undefined
}

/** Input of `getRecommend`: what to show a user next. */
export interface GetRecommend extends ItemPage {
  readonly userId: string
  /** Counts what is recommended as feedback of this type at once, so that the next call recommends something else. */
  readonly writeBack?:
    | {
        readonly feedbackType: string
        /** When that feedback begins to count. Default: now. */
        readonly delay?: Duration.Input | undefined
      }
    | undefined
}

/** Input of `getSimilarItems`: what is like an item. */
export interface GetSimilarItems extends ItemPage {
  readonly itemId: string
  /** Which of the configured item-to-item recommenders. Default: the first. */
  readonly recommender?: string | undefined
  /** Leaves out what this user has dealt with. */
  readonly unseenBy?: string | undefined
}

/** Input of `getSimilarUsers`: who is like a user. */
export interface GetSimilarUsers extends Page {
  readonly userId: string
  /** Which of the configured user-to-user recommenders. Default: the first. */
  readonly recommender?: string | undefined
}

/** Input of `getPopular`: what most users deal with, for those of whom nothing is known yet. */
export interface GetPopular extends ItemPage {
  /** Which of the configured non-personalized recommenders. Default: as the layer says. */
  readonly recommender?: string | undefined
  /** Leaves out what this user has dealt with. */
  readonly unseenBy?: string | undefined
}

/** Input of `getLatest`: the newest items, by their `timestamp`. */
export interface GetLatest extends ItemPage {
  /** Leaves out what this user has dealt with. */
  readonly unseenBy?: string | undefined
}

/** So many, where nothing else is said: Gorse's own `default_n`. */
export const DEFAULT_COUNT = 10

/** Whether sending feedback twice is the same as sending it once: it is, unless values add up. */
export const isIdempotent = (feedback: ReadonlyArray<FeedbackDetails>, overwrite: boolean | undefined): boolean =>
  overwrite === true || feedback.every(({ value }) => value === undefined || value === 0)

// ---------------------------------------------------------------------------------------------------------------------
// What is refused
// ---------------------------------------------------------------------------------------------------------------------

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80).toWellFormed()} …` : text
}

/**
 * Gorse's own rule for ids is "not empty, no slash": its router decodes a path before it takes it apart, so that an id with a
 * slash names something else. `.` and `..` are steps in a path, encoded or not.
 */
const wrongId = (value: unknown): string | undefined =>
  typeof value !== "string" || value.trim() === "" || value === "." || value === ".." || !value.isWellFormed()
    ? 'a text that is not blank, "." or ".."'
    : value.includes("/")
      ? 'a text without "/"'
      : undefined

const wrongText = (value: unknown): string | undefined =>
  typeof value !== "string" || value === "" ? "a text that is not empty" : undefined

const integer = (least: number) => (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= least ? undefined : `an integer, at least ${least}`

const wrongTime = (value: unknown): string | undefined =>
  Option.isSome(DateTime.make(value as DateTime.DateTime.Input)) ? undefined : "a time"

const list =
  (wrong: (value: unknown) => string | undefined) =>
  (values: unknown): string | undefined => {
    if (!Array.isArray(values)) return "a list"
    for (const value of values) {
      const expected = wrong(value)
      if (expected !== undefined) return `a list of which each is ${expected}`
    }
    return undefined
  }

const wrongLabels = (value: unknown): string | undefined => {
  const expected = "labels: a text, a number, a list of only one of these, or a record of labels"
  if (typeof value === "string" || (typeof value === "number" && Number.isFinite(value))) return undefined
  if (Array.isArray(value)) {
    const kind = typeof value[0]
    const same = value.every((one) => typeof one === kind && (kind === "string" || Number.isFinite(one)))
    return same ? undefined : expected
  }
  if (value === null || typeof value !== "object") return expected
  return Object.values(value).every((one) => wrongLabels(one) === undefined) ? undefined : expected
}

const fields: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  userId: wrongId,
  itemId: wrongId,
  unseenBy: wrongId,
  feedbackType: wrongId,
  recommender: wrongId,
  count: integer(1),
  offset: integer(0),
  timestamp: wrongTime,
  value: (value) => (Number.isFinite(value) ? undefined : "a finite number"),
  categories: list(wrongText),
  labels: wrongLabels
}

/** What is wrong with an input, if anything is. */
export const refuse = (input: object, where = ""): InvalidRequest | undefined => {
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue
    const expected = Object.hasOwn(fields, name) ? fields[name]!(value) : undefined
    if (expected !== undefined) {
      return new InvalidRequest({ message: `${where}${name} is ${shown(value)}: expected ${expected}` })
    }
    const inner: ReadonlyArray<readonly [string, object]> =
      name === "feedback" && Array.isArray(value)
        ? value.map((one: object, index) => [`feedback[${index}].`, one] as const)
        : (name === "user" || name === "item" || name === "writeBack") && typeof value === "object" && value !== null
          ? [[`${name}.`, value]]
          : []
    for (const [at, one] of inner) {
      const refused = refuse(one, at)
      if (refused !== undefined) return refused
    }
  }
  return undefined
}

/** A time as Gorse reads it. Refused inputs do not come here. */
export const rfc3339 = (time: DateTime.DateTime.Input): string => DateTime.formatIso(DateTime.makeUnsafe(time))
