/**
 * The contract of names, as users build queries, dashboards and alerts on it. A change here is a breaking change.
 */

export const http: Readonly<Record<string, ReadonlyArray<string>>> = {
  "server {METHOD} {http.route}": [
    "http.request.method",
    "http.route",
    "url.path",
    "url.scheme",
    "url.query",
    "server.address",
    "server.port",
    "client.address",
    "user_agent.original",
    "http.response.status_code",
    "error.type"
  ],
  "client {METHOD}": [
    "http.request.method",
    "url.full",
    "server.address",
    "server.port",
    "http.response.status_code",
    "http.request.resend_count",
    "error.type"
  ]
}

const statement = [
  "db.system.name",
  "db.namespace",
  "db.operation.name",
  "db.collection.name",
  "db.query.summary",
  "db.query.text",
  "db.response.returned_rows",
  "server.address",
  "server.port",
  "error.type",
  "db.response.status_code"
]

export const database: Readonly<Record<string, ReadonlyArray<string>>> = {
  "client db.select": statement,
  "client db.insert": statement,
  "client db.update": statement,
  "client db.delete": statement,
  "client db.begin": statement,
  "client db.create_table": statement,
  "client db.query": statement
}

interface ServiceContract {
  readonly prefix: string
  readonly operations: ReadonlyArray<string>
  readonly attributes: ReadonlyArray<string>
}

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

export const services: Readonly<Record<string, ServiceContract>> = {
  "stream.io": {
    prefix: "stream",
    operations: words(`follow unfollow create_activity delete_activity get_feed get_notifications
      mark_notifications_read add_reaction delete_reaction get_followers get_following upsert_user create_token`),
    attributes: words("stream.user_id stream.feed_id stream.activity stream.target_id stream.limit")
  },
  gorse: {
    prefix: "gorse",
    operations: words(`insert_user insert_item insert_user_item insert_feedback delete_feedback get_recommend
      get_similar_items get_similar_users get_popular get_latest delete_user delete_item`),
    attributes: words("gorse.user_id gorse.item_id gorse.feedback gorse.count gorse.batch_size")
  },
  elasticsearch: {
    prefix: "es",
    operations: words("index search delete bulk update get suggest create_index delete_index"),
    attributes: words(`es.index es.query es.doc_id es.hit_count es.shards_queried es.bulk_size
      db.system.name db.operation.name db.collection.name result.partial`)
  },
  s3: {
    prefix: "s3",
    operations: words(`put_object get_object delete_object head_object list_objects copy_object create_presigned_url`),
    attributes: words(`s3.bucket s3.key s3.content_type s3.size_bytes aws.s3.bucket aws.s3.key aws.request_id
      rpc.system.name rpc.method`)
  },
  cache: {
    prefix: "cache",
    operations: words(`get set delete exists ttl expire incr decr mget keys hget hset hgetall lpush rpop lrange ping`),
    attributes: words(`cache.key cache.hit cache.size_bytes cache.ttl_seconds cache.key_count db.system.name
      db.operation.name`)
  }
}

export const events: Readonly<Record<string, ReadonlyArray<string>>> = {
  "feed.get": words("feed.type feed.limit feed.offset feed.item_count feed.enrichment_type feed.fallback_used"),
  "feed.create_post": words("post.id audio.format"),
  "data.enrich_posts": words("enrichment.type enrichment.count"),
  "social.follow_user": words("user.id target_user.id"),
  "social.{action}": words("action.type target.type target.id notification.sent follow.is_following"),
  "social.create_comment": words("post.id comment.id comment.has_reply"),
  "social.add_reaction": words("reaction.emoji target.id"),
  "audio.upload": words("audio_post.id file.size_bytes audio.format audio.daw"),
  "audio.processing": words("audio_post.id processing.status"),
  "search.query": words("search.query search.index search.result_count search.filters search.fallback_used"),
  "engagement.track_{event}": words(
    "engagement.event_type post.id user.id engagement.play_count engagement.view_count"
  ),
  "external.{service}.{operation}": words(`external.service external.operation external.resource_id external.retry_count
    external.error.retryable external.cache_hit external.circuit_breaker_triggered`)
}
