/** Which commands run tests, and what their output says of how it went. */

const BEFORE =
  "(?:\\w+=\\S*|timeout\\s+(?:-\\S+\\s+)*\\S+|time|env|sudo|npx(?:\\s+-\\S+)*|bunx|pnpm\\s+exec|yarn(?:\\s+run)?|uv\\s+run|poetry\\s+run|bundle\\s+exec|(?:docker|podman)\\s+compose\\s+(?:exec|run)(?:\\s+-\\S+)*\\s+\\S+)";
const RUNNERS = [
  "(?:npm|pnpm|bun|deno|yarn|cargo|go|swift|mix|dotnet|zig|flutter|dart|bazel|sbt|lein|stack|cabal)\\s+(?:run\\s+)?(?:test|t|check)(?![\\w/])\\S*",
  "cargo\\s+nextest",
  "(?:vitest|jest|mocha|ava|tap|pytest|py\\.test|tox|nox|nosetests|rspec|phpunit|pest|ctest|bats|busted|karma|behave|cucumber)(?![\\w-])",
  "(?:playwright|cypress|ng|rails|rake|artisan|php\\s+artisan|make|just|task|invoke)\\s+(?:run\\s+)?(?:test|check|spec)",
  "(?:mvn|\\S*mvnw|gradle|\\S*gradlew)\\s[^;&|]*\\b(?:test|verify|check)\\b",
  "node\\s[^;&|]*--test\\b",
  "python[\\d.]*\\s+(?:-m\\s+(?:pytest|unittest)|manage\\.py\\s+test)",
  "(?:\\.\\/(?:\\w+\\/){0,3}|(?:\\w+\\/){1,3})(?:run[-_]?)?tests?(?:\\.sh|\\.py)?(?=\\s|$)",
].join("|");
const TEST = new RegExp(
  `(?:^|[;&|(\\n])\\s{0,20}(?:${BEFORE}\\s+){0,5}(?:(?:\\.{1,2}\\/|\\/)?(?:[\\w.@-]{1,60}\\/){0,10}\\.?bin\\/)?(?:${RUNNERS})`,
);

/** Of a command and an output, so much is looked at: the beginning of the one, the end of the other. */
const COMMAND_CHARACTERS = 2000;
const OUTPUT_CHARACTERS = 16_384;

const SAYS_HOW =
  /\b\d+\s+(?:tests?|examples?|specs?|assertions?|scenarios?)?\s{0,3}(?:passed|passing|failed|failing|failures?|errors?)\b|\b(?:tests?|suites?|passed|failed)\s{0,5}:?\s{0,5}\d+|\btest result:|^(?:ok|FAIL|PASS|OK|FAILED|BUILD \w+)\b|^# (?:pass|fail) \d+|\bRan \d+ tests?\b/i;
const SAYS_FAILED =
  /\b[1-9]\d*\s+(?:tests?|examples?|specs?|scenarios?)?\s{0,3}(?:failed|failing|failures?|errors?)\b|\bfail(?:ed|ures?|ing)?\s{0,3}[:=]?\s{1,3}[1-9]\d*\b|test result: FAILED|^FAIL(?:ED)?\b|^BUILD FAIL/im;
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const COLOURS = /\u001b\[[0-9;]*[A-Za-z]/g;

export function isTest(command: string): boolean {
  return TEST.test(command.slice(0, COMMAND_CHARACTERS));
}

export type Verdict = { line: string | null; failed: boolean };

/** The last line that says how it went, and whether any says that something failed: a pipe hides a runner's exit code. */
export function verdictOf(output: string): Verdict {
  const lines = output
    .slice(-OUTPUT_CHARACTERS)
    .replace(COLOURS, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length <= 300 && SAYS_HOW.test(line));
  return { line: lines.at(-1) ?? null, failed: lines.some((line) => SAYS_FAILED.test(line)) };
}
