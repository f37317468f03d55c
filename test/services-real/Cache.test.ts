import { randomUUID } from "node:crypto"
import * as CacheLive from "../../src/services/Cache/CacheLive.ts"
import { cacheSuite } from "../services/Cache/suite.ts"
import { realServer } from "./support.ts"

realServer("TEST_REDIS_URL")("Redis", ({ TEST_REDIS_URL }) => {
  const run = randomUUID().slice(0, 8)
  cacheSuite("CacheLive", CacheLive.layer({ url: TEST_REDIS_URL }), (key) => `${run}:${key}`)
})
