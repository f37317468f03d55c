import { randomUUID } from "node:crypto"
import * as SearchEmbedded from "../../../src/services/Search/SearchEmbedded.ts"
import { searchSuite } from "./suite.ts"

const run = randomUUID().slice(0, 8)
searchSuite("SearchEmbedded", SearchEmbedded.layer(), (index) => `${run}-${index}`, "minisearch")
