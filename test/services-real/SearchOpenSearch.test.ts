import { randomUUID } from "node:crypto"
import * as SearchOpenSearch from "../../src/services/Search/SearchOpenSearch.ts"
import { searchSuite } from "../services/Search/suite.ts"
import { realServer } from "./support.ts"

realServer("TEST_OPENSEARCH_URL")("OpenSearch", ({ TEST_OPENSEARCH_URL }) => {
  const run = randomUUID().slice(0, 8)
  searchSuite(
    "SearchOpenSearch",
    SearchOpenSearch.layer({ url: TEST_OPENSEARCH_URL }),
    (index) => `${run}-${index}`,
    "opensearch"
  )
})
