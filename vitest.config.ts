import { defineConfig } from "vitest/config";

const serverTests = "test/**/*.server.test.ts";

// An `include` at this level would be added to every project's own, and the tests would run twice.
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: [serverTests] },
      },
      {
        // Real servers and processes: one file at a time, or they starve each other of the disk.
        extends: true,
        test: {
          name: "server",
          include: [serverTests],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
