import { randomUUID } from "node:crypto"
import * as SearchLive from "../../src/services/Search/SearchLive.ts"
import { searchSuite } from "../services/Search/suite.ts"
import { realServer } from "./support.ts"

realServer("TEST_ELASTICSEARCH_URL")("Elasticsearch", ({ TEST_ELASTICSEARCH_URL }) => {
  const run = randomUUID().slice(0, 8)
  searchSuite(
    "SearchLive",
    SearchLive.layer({ url: TEST_ELASTICSEARCH_URL }),
    (index) => `${run}-${index}`,
    "elasticsearch"
  )
})
