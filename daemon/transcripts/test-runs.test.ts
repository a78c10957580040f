import { expect, test } from "vitest";
import { isTest, verdictOf } from "./test-runs.ts";

test.each([
  "npm test",
  "npm run test:unit -- --run",
  "cd app && timeout 120 npx vitest run src",
  "NODE_ENV=test yarn jest",
  "pytest -q tests/test_a.py",
  "python3 -m pytest",
  "uv run pytest",
  "go test ./...",
  "cargo nextest run",
  "make check",
  "./gradlew clean test",
  "node --test",
  "node_modules/.bin/vitest run",
  "docker compose exec -T app rspec",
  "./scripts/test.sh",
])("%s runs tests", (command) => {
  expect(isTest(command)).toBe(true);
});

test.each([
  "git commit -m 'npm test works'",
  "cat src/a.test.ts",
  "ls test",
  "echo pytest",
  "npm install vitest",
  "test -f x && echo y",
  "mkdir tests",
])("%s doesn't", (command) => {
  expect(isTest(command)).toBe(false);
});

test.each([
  [" Test Files  1 passed (1)\n      Tests  5 passed (5)\n   Duration 1s", "Tests  5 passed (5)", false],
  ["\u001b[31mTests  1 failed\u001b[0m | 4 passed (5)", "Tests  1 failed | 4 passed (5)", true],
  ["==== 3 failed, 7 passed in 0.12s ====", "==== 3 failed, 7 passed in 0.12s ====", true],
  ["Ran 4 tests in 0.1s\n\nOK", "OK", false],
  ["ok  \tacme/pay\t0.2s", "ok  \tacme/pay\t0.2s", false],
  ["--- FAIL: TestX\nFAIL\nFAIL\tacme/pay\t0.2s", "FAIL\tacme/pay\t0.2s", true],
  ["test result: ok. 5 passed; 0 failed; 0 ignored", "test result: ok. 5 passed; 0 failed; 0 ignored", false],
  ["# pass 4\n# fail 0", "# fail 0", false],
  ["  2 passing (4ms)\n  1 failing", "1 failing", true],
  ["12 examples, 0 failures", "12 examples, 0 failures", false],
  ["compiling", null, false],
])("%s", (output, line, failed) => {
  expect(verdictOf(output)).toEqual({ line, failed });
});
