import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createLogger } from "./logger.ts";

test("a line is JSON with time and fields; what couldn't be parsed isn't quoted", () => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "x.log");
  const log = createLogger("x", { path });
  log.info({ count: 1 }, "hello");
  log.debug({}, "not at this level");
  let failure: unknown;
  try {
    JSON.parse("a secret word\n    and more of it");
  } catch (error) {
    failure = error;
  }
  const { stack } = failure instanceof Error ? failure : {};
  expect(String(failure)).toContain("secret");
  log.error({ error: String(failure) }, "short");
  log.error({ error: stack }, "long");

  const text = readFileSync(path, "utf8");
  expect(text).not.toMatch(/secret|more of it/);
  const [first, ...errors] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(first).toMatchObject({
    level: 30,
    count: 1,
    msg: "hello",
    time: expect.stringMatching(/Z$/),
  });
  expect(errors.map(({ error }) => error.split("\n")[0])).toEqual(["SyntaxError", "SyntaxError"]);
  expect(errors[1].error).toContain("logger.test.ts");
});
