import * as DatabaseEmbedded from "../../../src/services/Database/DatabaseEmbedded.ts"
import { suite } from "./suite.ts"

suite("the embedded database", {
  layer: DatabaseEmbedded.layer(),
  target: { "db.namespace": "postgres", "server.address": "127.0.0.1" },
  table: "posts"
})
