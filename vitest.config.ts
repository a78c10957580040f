import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    // test/claude needs the real client: `npm run test:claude`.
    exclude: ["**/node_modules/**", "dist/**", "test/claude/**"],
    globalSetup: ["test/build-once.ts"],
    // Processes, not threads: native SQLite and real signals. Not more than cores: tests with bounds on time would suffer.
    pool: "forks",
    maxWorkers: Math.max(2, Math.min(4, availableParallelism())),
    // Scripts run several at once, each with processes of its own.
    maxConcurrency: 4,
    testTimeout: 60_000,
    hookTimeout: 30_000,
  },
});
