/**
 * Somebody to be, something to hear: what the database holds at the beginning.
 */
import { Array, Effect } from "effect"
import { SqlClient } from "effect/sql"

const users = [
  {
    id: "u_mara",
    handle: "mara",
    displayName: "Mara Lindqvist",
    daw: "Ableton Live",
    bio: "lofi at night, techno at 6 am"
  },
  { id: "u_teo", handle: "teo.wav", displayName: "Teo Okafor", daw: "Bitwig Studio", bio: "half-time, double coffee" },
  {
    id: "u_ines",
    handle: "ines",
    displayName: "Inês Carvalho",
    daw: "Logic Pro",
    bio: "field recordings and slow pads"
  },
  { id: "u_juno", handle: "junokicks", displayName: "Juno Park", daw: "FL Studio", bio: "808s, mostly" },
  { id: "u_sol", handle: "sol", displayName: "Sol Herrera", daw: "Reaper", bio: "house for small rooms" },
  { id: "u_wren", handle: "wren", displayName: "Wren Adeyemi", daw: null, bio: "I only listen, loudly" }
] as const

/** author, title, genre, format, seconds, bpm, plays, likes, hours ago */
const posts = [
  ["u_mara", "Night Bus Home", "lofi", "flac", 164, 82, 1840, 212, 3],
  ["u_mara", "Kitchen Window Rain", "lofi", "wav", 131, 78, 922, 140, 30],
  ["u_mara", "Warehouse Sketch 4", "techno", "wav", 402, 134, 310, 41, 74],
  ["u_teo", "Gravel Road", "drum-and-bass", "flac", 248, 174, 2210, 305, 7],
  ["u_teo", "Half Moon Half Time", "drum-and-bass", "mp3", 216, 87, 640, 88, 51],
  ["u_teo", "Break Practice, Take 9", "drum-and-bass", "wav", 48, 172, 97, 12, 110],
  ["u_ines", "Tidal Flats at Dawn", "ambient", "flac", 611, null, 1502, 260, 12],
  ["u_ines", "Tram 28, Rain", "ambient", "wav", 355, null, 480, 73, 44],
  ["u_ines", "Pads for a Long Night", "ambient", "ogg", 720, 60, 388, 66, 160],
  ["u_juno", "808 Letter to My Neighbours", "trap", "mp3", 141, 140, 3105, 417, 5],
  ["u_juno", "Hi-Hat Homework", "trap", "aac", 92, 146, 275, 29, 26],
  ["u_sol", "Small Room, Big Chord", "house", "flac", 330, 122, 1190, 171, 9],
  ["u_sol", "Sunday Terrace Loop", "house", "mp3", 64, 120, 845, 99, 36],
  ["u_sol", "Rain on the Dancefloor", "house", "flac", 298, 124, 530, 77, 90]
] as const

/** who follows whom */
const follows = [
  ["u_mara", "u_teo"],
  ["u_mara", "u_ines"],
  ["u_teo", "u_mara"],
  ["u_teo", "u_sol"],
  ["u_ines", "u_mara"],
  ["u_juno", "u_mara"],
  ["u_juno", "u_teo"],
  ["u_juno", "u_sol"],
  ["u_sol", "u_juno"],
  ["u_wren", "u_mara"],
  ["u_wren", "u_ines"],
  ["u_wren", "u_juno"]
] as const

/** who likes which posts */
const likes = [
  ["u_wren", 1],
  ["u_wren", 7],
  ["u_wren", 10],
  ["u_teo", 1],
  ["u_teo", 12],
  ["u_ines", 1],
  ["u_ines", 2],
  ["u_sol", 10],
  ["u_sol", 7],
  ["u_sol", 4],
  ["u_juno", 4],
  ["u_juno", 12],
  ["u_mara", 4],
  ["u_mara", 7],
  ["u_mara", 12]
] as const

/** post, author, second, text */
const comments = [
  [1, "u_wren", 42, "that tape stop gets me every time"],
  [1, "u_ines", null, "is the rain your own recording?"],
  [4, "u_mara", 96, "the drop could come four bars later"],
  [7, "u_sol", 300, "I fell asleep here, in a good way"],
  [10, "u_wren", 12, "my neighbours have opinions"],
  [12, "u_teo", 61, "what is that chord"]
] as const

/** The id of a seeded post, by its place in the list. */
export const seededPost = (place: number): string => `p_${String(place).padStart(2, "0")}`

/** Fills an empty database; how many users and posts there are now. */
export const seed = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const count = sql<{ users: number; posts: number }>`SELECT
    (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM posts) AS posts`
  const [before] = yield* count
  if (before!.users > 0) return before!
  const followRows = Array.map(follows, ([followerId, followeeId]) => ({ followerId, followeeId }))
  const postRows = Array.map(
    posts,
    ([authorId, title, genre, format, durationSeconds, bpm, playCount, likeCount, hours], at) => {
      const id = seededPost(at + 1)
      const daw = users.find((user) => user.id === authorId)?.daw ?? null
      const audioUrl = `https://audio.example/${id}.${format}`
      const createdAt = new Date(Date.now() - hours * 3_600_000)
      const said = { id, authorId, title, genre, format, durationSeconds, bpm, playCount, likeCount }
      return { ...said, daw, audioUrl, status: "ready", createdAt }
    }
  )
  const commentRows = Array.map(comments, ([post, authorId, atSeconds, body], at) => {
    return { id: `c_${at + 1}`, postId: seededPost(post), authorId, atSeconds, body }
  })
  const likeRows = Array.map(likes, ([userId, post]) => ({ userId, postId: seededPost(post), type: "like" }))
  yield* Effect.gen(function* () {
    yield* sql`INSERT INTO users ${sql.insert(users)}`
    yield* sql`INSERT INTO follows ${sql.insert(followRows)}`
    yield* sql`INSERT INTO posts ${sql.insert(postRows)}`
    yield* sql`INSERT INTO comments ${sql.insert(commentRows)}`
    yield* sql`INSERT INTO engagements ${sql.insert(likeRows)}`
  }).pipe(sql.withTransaction)
  const [after] = yield* count
  return after!
})
