import { defineConfig } from "vitest/config"

/** The suites that talk to real servers: `npm run services -- run -- npm run test:real`. */
export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["test/services-real/**/*.test.ts"],
    // One file after the other: they share the servers.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000
  }
})
