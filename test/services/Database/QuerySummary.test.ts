import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as QuerySummary from "../../../src/services/Database/QuerySummary.ts"
import { maxScanned } from "../../../src/services/Database/SqlText.ts"

type Case = readonly [sql: string, spanName: string, collection: string | undefined, summary: string | undefined]

const check = (cases: ReadonlyArray<Case>) =>
  it.each(cases)("%s", (sql, spanName, collection, summary) => {
    const query = QuerySummary.describe(sql)
    assert.deepStrictEqual([query.spanName, query.collection, query.summary], [spanName, collection, summary])
  })

describe("queries", () => {
  check([
    ["SELECT * FROM posts", "db.select", "posts", "SELECT posts"],
    ["select 1", "db.select", undefined, "SELECT"],
    ['SELECT * FROM "public"."Posts" p', "db.select", "public.Posts", "SELECT public.Posts"],
    ['SELECT * FROM "my schema"."my table"', "db.select", "my schema.my table", 'SELECT "my schema"."my table"'],
    ["SELECT * FROM songs, artists WHERE songs.artist_id = artists.id", "db.select", undefined, "SELECT songs artists"],
    ["SELECT * FROM posts p JOIN users u ON u.id = p.user_id, tags", "db.select", undefined, "SELECT posts users tags"],
    ["SELECT * FROM users a LEFT OUTER JOIN users b USING (boss)", "db.select", "users", "SELECT users"],
    ["SELECT * FROM ((a JOIN b ON true) CROSS JOIN c)", "db.select", undefined, "SELECT a b c"],
    [
      "SELECT d FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.c) q",
      "db.select",
      undefined,
      "SELECT SELECT orders customers"
    ],
    [
      "SELECT * FROM a LEFT JOIN LATERAL (SELECT * FROM b WHERE b.a = a.id) x ON true",
      "db.select",
      undefined,
      "SELECT a SELECT b"
    ],
    ["SELECT a FROM t1 UNION ALL SELECT b FROM t2", "db.select", undefined, "SELECT t1 SELECT t2"],
    ["(SELECT 1) UNION (SELECT 2 FROM a)", "db.select", "a", "SELECT SELECT a"],
    ["((SELECT a FROM t) EXCEPT (SELECT b FROM t)) LIMIT 1", "db.select", "t", "SELECT t SELECT t"],
    [
      "SELECT id FROM posts WHERE EXISTS (SELECT FROM likes l WHERE l.post = posts.id)",
      "db.select",
      undefined,
      "SELECT posts SELECT likes"
    ],
    [
      "SELECT * FROM posts WHERE id IN (SELECT post_id FROM likes) FOR UPDATE OF posts SKIP LOCKED",
      "db.select",
      undefined,
      "SELECT posts SELECT likes"
    ],
    ["SELECT * FROM ONLY posts TABLESAMPLE system (1)", "db.select", "posts", "SELECT posts"],
    ["SELECT * INTO TEMP TABLE n FROM o", "db.select", undefined, "SELECT n o"],
    ["VALUES (1, 2), (3, 4)", "db.values", undefined, "VALUES"],
    ["TABLE posts", "db.table", "posts", "TABLE posts"]
  ])
})

describe("what is no table", () => {
  check([
    [
      "SELECT extract(day FROM created_at), substring(t FROM 1 FOR 2), trim(both FROM t) FROM posts",
      "db.select",
      "posts",
      "SELECT posts"
    ],
    ["SELECT a IS DISTINCT FROM b, a IS NOT DISTINCT FROM c FROM t", "db.select", "t", "SELECT t"],
    [
      "SELECT * FROM generate_series(1, 10) g, unnest($1::int[]) WITH ORDINALITY AS u(a, n)",
      "db.select",
      undefined,
      "SELECT"
    ],
    ["SELECT * FROM ROWS FROM (f(1), g(2)) AS x", "db.select", undefined, "SELECT"],
    [
      "SELECT count(*) FILTER (WHERE a), sum(b) OVER (PARTITION BY c ORDER BY d) FROM t WINDOW w AS (ORDER BY e)",
      "db.select",
      "t",
      "SELECT t"
    ],
    ["SELECT now() AT TIME ZONE 'utc', '12:00'::time with time zone FROM t", "db.select", "t", "SELECT t"],
    ['SELECT "from", "select" FROM "from"', "db.select", "from", "SELECT from"],
    ["SELECT 'SELECT * FROM secrets' FROM t -- FROM nothing", "db.select", "t", "SELECT t"],
    ["SELECT replace(a, 'x', 'y'), CASE WHEN true THEN 1 END FROM t", "db.select", "t", "SELECT t"]
  ])
})

describe("common table expressions", () => {
  check([
    ["WITH top AS (SELECT * FROM posts) SELECT * FROM top", "db.select", "posts", "SELECT posts SELECT"],
    [
      "WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT sum(n) FROM t",
      "db.select",
      undefined,
      "SELECT SELECT"
    ],
    [
      "WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT * FROM x) SELECT * FROM a, b, y",
      "db.select",
      undefined,
      "SELECT SELECT x SELECT y"
    ],
    [
      "WITH moved AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM moved",
      "db.insert",
      undefined,
      "DELETE a INSERT b SELECT"
    ],
    ["WITH x AS (SELECT 1) UPDATE posts SET a = 1 FROM x", "db.update", "posts", "SELECT UPDATE posts"],
    [
      "WITH x AS ((SELECT * FROM a) UNION (SELECT * FROM b)) DELETE FROM c",
      "db.delete",
      undefined,
      "SELECT a SELECT b DELETE c"
    ],
    ["INSERT INTO a WITH x AS (SELECT * FROM b) SELECT * FROM x", "db.insert", undefined, "INSERT a SELECT b SELECT"],
    ['WITH "Top" AS (SELECT 1) SELECT * FROM "Top", top', "db.select", "top", "SELECT SELECT top"]
  ])
})

describe("writes", () => {
  check([
    ['INSERT INTO "posts" ("id","title") VALUES ($1,$2) RETURNING *', "db.insert", "posts", "INSERT posts"],
    ["INSERT INTO shipments (id) SELECT o.id FROM orders o", "db.insert", undefined, "INSERT shipments SELECT orders"],
    [
      "INSERT INTO posts AS p VALUES (1) ON CONFLICT (id) DO UPDATE SET a = excluded.a WHERE p.a IS DISTINCT FROM excluded.a",
      "db.insert",
      "posts",
      "INSERT posts"
    ],
    ["INSERT INTO posts DEFAULT VALUES", "db.insert", "posts", "INSERT posts"],
    [
      "UPDATE ONLY public.posts SET a = (SELECT max(a) FROM posts)",
      "db.update",
      undefined,
      "UPDATE public.posts SELECT posts"
    ],
    [
      'UPDATE posts SET a = data.a FROM (values ($1,$2),($3,$4)) AS data("id","a") WHERE data.id = posts.id',
      "db.update",
      "posts",
      "UPDATE posts"
    ],
    ["DELETE FROM a USING b JOIN c USING (id) WHERE a.id = b.id", "db.delete", undefined, "DELETE a b c"],
    [
      "MERGE INTO t USING (SELECT * FROM s) q ON t.id = q.id WHEN MATCHED THEN UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
      "db.merge",
      undefined,
      "MERGE t SELECT s"
    ],
    ["COPY posts (id, title) FROM STDIN", "db.copy", "posts", "COPY posts"],
    ["COPY (SELECT * FROM posts) TO STDOUT", "db.copy", "posts", "COPY SELECT posts"],
    ["TRUNCATE TABLE a, ONLY b RESTART IDENTITY", "db.truncate", undefined, "TRUNCATE a b"],
    ["LOCK TABLE posts IN ACCESS EXCLUSIVE MODE", "db.lock", "posts", "LOCK posts"]
  ])
})

describe("definitions", () => {
  check([
    [
      "CREATE TABLE IF NOT EXISTS posts (id int PRIMARY KEY, u int REFERENCES users (id) ON DELETE CASCADE)",
      "db.create_table",
      "posts",
      "CREATE TABLE posts"
    ],
    ["CREATE TEMPORARY TABLE a AS SELECT * FROM b", "db.create_table", undefined, "CREATE TABLE a SELECT b"],
    [
      "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY public.posts (a)",
      "db.create_index",
      "public.posts",
      "CREATE INDEX public.posts"
    ],
    ["create index on posts (a)", "db.create_index", "posts", "CREATE INDEX posts"],
    ["DROP INDEX i", "db.drop_index", undefined, "DROP INDEX i"],
    ["ALTER TABLE IF EXISTS ONLY posts ADD COLUMN a int", "db.alter_table", "posts", "ALTER TABLE posts"],
    ["DROP TABLE IF EXISTS a, b CASCADE", "db.drop_table", undefined, "DROP TABLE a b"],
    ["CREATE OR REPLACE VIEW v (a) AS SELECT * FROM posts", "db.create_view", undefined, "CREATE VIEW v SELECT posts"],
    ["REFRESH MATERIALIZED VIEW CONCURRENTLY v", "db.refresh_materialized_view", "v", "REFRESH MATERIALIZED VIEW v"],
    [
      "CREATE FUNCTION f(x int) RETURNS int AS $$ SELECT 1 FROM secret $$ LANGUAGE sql",
      "db.create_function",
      undefined,
      "CREATE FUNCTION f"
    ],
    [
      "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION f()",
      "db.create_trigger",
      "posts",
      "CREATE TRIGGER posts"
    ],
    [
      "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app",
      "db.alter_default_privileges",
      undefined,
      "ALTER DEFAULT PRIVILEGES"
    ],
    ["CREATE EXTENSION IF NOT EXISTS pg_trgm", "db.create_extension", undefined, "CREATE EXTENSION pg_trgm"],
    ["GRANT SELECT ON posts TO app", "db.grant", undefined, "GRANT"]
  ])
})

describe("control", () => {
  check([
    ["BEGIN", "db.begin", undefined, "BEGIN"],
    ["BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", "db.begin", undefined, "BEGIN"],
    ["START TRANSACTION", "db.start_transaction", undefined, "START TRANSACTION"],
    ["COMMIT", "db.commit", undefined, "COMMIT"],
    ["SAVEPOINT effect_sql_1", "db.savepoint", undefined, "SAVEPOINT"],
    ["ROLLBACK TO SAVEPOINT effect_sql_1", "db.rollback", undefined, "ROLLBACK"],
    ["RELEASE SAVEPOINT effect_sql_1", "db.release_savepoint", undefined, "RELEASE SAVEPOINT"],
    ["EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM posts", "db.explain", "posts", "EXPLAIN SELECT posts"],
    ["EXPLAIN ANALYZE VERBOSE DELETE FROM posts", "db.explain", "posts", "EXPLAIN DELETE posts"],
    ["DECLARE c CURSOR WITH HOLD FOR SELECT * FROM posts", "db.declare", "posts", "DECLARE SELECT posts"],
    ["PREPARE p AS SELECT * FROM posts WHERE id = $1", "db.prepare", "posts", "PREPARE SELECT posts"],
    ["CALL archive($1)", "db.call", undefined, "CALL archive"],
    ["SET search_path TO app", "db.set", undefined, "SET"],
    ["SHOW server_version", "db.show", undefined, "SHOW"],
    ["LISTEN channel", "db.listen", undefined, "LISTEN"],
    ["VACUUM (FULL) posts", "db.vacuum", "posts", "VACUUM posts"]
  ])
})

describe("several statements, comments, and what can't be told", () => {
  check([
    ["INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);", "db.insert", "a", "INSERT a INSERT a"],
    ["BEGIN; UPDATE a SET x = 1; COMMIT", "db.query", "a", "BEGIN UPDATE a COMMIT"],
    [" ; ;; SELECT 1 ;", "db.select", undefined, "SELECT"],
    ["/* hint */ -- by x\n SELECT /* y */ * FROM /* z */ posts", "db.select", "posts", "SELECT posts"],
    ["", "db.query", undefined, undefined],
    ["-- nothing", "db.query", undefined, undefined],
    ["frobnicate the posts", "db.query", undefined, undefined],
    ["'; DROP TABLE users", "db.query", undefined, undefined],
    ["SELECT * FROM", "db.select", undefined, "SELECT"]
  ])
})

it("a long list of tables is cut between two of them", () => {
  const tables = Array.from({ length: 60 }, (_, i) => `table_number_${i}`)
  const { collection, summary } = QuerySummary.describe(`SELECT * FROM ${tables.join(", ")}`)
  assert.isUndefined(collection)
  assert.isAtMost(summary!.length, QuerySummary.maxSummaryLength)
  assert.isTrue(`SELECT ${tables.join(" ")}`.startsWith(summary + " "))
})

it("says which statements return rows", () => {
  const returns = (sql: string) => QuerySummary.describe(sql).returnsRows
  assert.isTrue(returns("SELECT 1"))
  assert.isTrue(returns("INSERT INTO t VALUES (1) RETURNING id"))
  assert.isFalse(returns("INSERT INTO t VALUES (1)"))
  assert.isFalse(returns("WITH x AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM x"))
  assert.isFalse(returns("BEGIN"))
})

describe("properties", () => {
  const piece = Schema.Literals([
    "SELECT",
    "INSERT",
    "INTO",
    "UPDATE",
    "DELETE",
    "MERGE",
    "FROM",
    "JOIN",
    "USING",
    "WITH",
    "RECURSIVE",
    "AS",
    "VALUES",
    "TABLE",
    "CREATE",
    "DROP",
    "ALTER",
    "INDEX",
    "VIEW",
    "ON",
    "ONLY",
    "UNION",
    "EXPLAIN",
    "PREPARE",
    "COPY",
    "DECLARE",
    "FOR",
    "RETURNING",
    "MATERIALIZED",
    "a",
    "b.c",
    '"d e"',
    "(",
    ")",
    ",",
    ";",
    ".",
    "'",
    '"',
    "$$",
    "$t$",
    "$1",
    "/*",
    "*/",
    "--",
    "\n",
    "1",
    "*"
  ])
  const isSound = (sql: string): void => {
    const query = QuerySummary.describe(sql)
    assert.match(query.spanName, /^db\.[a-z_]+$/)
    assert.isAtMost(query.summary?.length ?? 0, QuerySummary.maxSummaryLength)
    assert.strictEqual(query.spanName === "db.query", query.operation === undefined)
  }

  it.prop(
    "any pieces of SQL in any order are described",
    { pieces: Schema.Array(piece) },
    ({ pieces }) => isSound(pieces.join(" ")),
    {
      arbitrary: { runs: 1000 }
    }
  )
  it.prop("any text is described", { sql: Schema.String }, ({ sql }) => isSound(sql))

  it.each([
    "(",
    "((SELECT ",
    "SELECT * FROM (",
    "WITH a AS (",
    "WITH a AS (SELECT 1), ",
    "PREPARE p AS ",
    "COPY (",
    "EXPLAIN ",
    "CREATE TABLE a AS ",
    "/*",
    "--",
    "$",
    "$a",
    "$a$",
    "'",
    '"',
    ";",
    ",a",
    "SELECT ",
    "a.",
    ".",
    "FROM a,",
    "\\",
    "1e+",
    "E'\\'",
    "U&",
    "ON "
  ])("as much of %s as is read, and more", (unit) => {
    for (const start of ["", "SELECT * FROM a ", "WITH x AS (", "CREATE TRIGGER t "])
      isSound(start + unit.repeat(maxScanned))
  })
})
