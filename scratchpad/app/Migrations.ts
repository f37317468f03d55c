/**
 * The tables. Migrations run once each, in the order of their numbers.
 */
import { Effect } from "effect"
import { Migrator, SqlClient } from "effect/sql"

const socialAudio = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE users (
    id text PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    display_name text NOT NULL,
    bio text NOT NULL DEFAULT '',
    daw text,
    created_at timestamptz NOT NULL DEFAULT now()
  )`
  yield* sql`CREATE TABLE follows (
    follower_id text NOT NULL REFERENCES users,
    followee_id text NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower_id, followee_id)
  )`
  yield* sql`CREATE TABLE posts (
    id text PRIMARY KEY,
    author_id text NOT NULL REFERENCES users,
    title text NOT NULL,
    format text NOT NULL,
    genre text NOT NULL,
    duration_seconds int NOT NULL,
    bpm int,
    daw text,
    audio_url text,
    waveform real[],
    status text NOT NULL DEFAULT 'awaiting_audio',
    play_count int NOT NULL DEFAULT 0,
    like_count int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
  )`
  yield* sql`CREATE INDEX posts_newest ON posts (created_at DESC)`
  yield* sql`CREATE INDEX posts_text ON posts USING gin (to_tsvector('english', title || ' ' || genre))`
  yield* sql`CREATE TABLE comments (
    id text PRIMARY KEY,
    post_id text NOT NULL REFERENCES posts,
    author_id text NOT NULL REFERENCES users,
    body text NOT NULL,
    at_seconds int,
    reply_to text REFERENCES comments,
    created_at timestamptz NOT NULL DEFAULT now()
  )`
  yield* sql`CREATE INDEX comments_of_post ON comments (post_id)`
  yield* sql`CREATE TABLE engagements (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    post_id text NOT NULL REFERENCES posts,
    user_id text NOT NULL REFERENCES users,
    type text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`
  yield* sql`CREATE UNIQUE INDEX engagements_one_like ON engagements (post_id, user_id) WHERE type = 'like'`
})

const jobs = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    trace jsonb NOT NULL,
    status text NOT NULL DEFAULT 'queued',
    attempts int NOT NULL DEFAULT 0,
    error text,
    run_after timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
  )`
  yield* sql`CREATE INDEX jobs_next ON jobs (run_after) WHERE status IN ('queued', 'running')`
})

/** Runs what has not run yet; gives what that was. */
export const migrate = Migrator.make({})({
  loader: Migrator.fromRecord({ "0001_social_audio": socialAudio, "0002_jobs": jobs })
})
