// Type check, lint, all tests; ends with one line, `N passed, M failed`. The type check and the lint count as one test each.
//
//   npm test               everything
//   npm test -- broker     only the tests whose path has "broker" in it
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, "node_modules", ".bin");
const REPORT = join(ROOT, ".setup", `test-${process.pid}.json`);

/** @typedef {{ passed: number, failed: number }} Count */

const counts = [
  await one("tsc", []),
  await one("biome", ["check", "--error-on-warnings", "."]),
  await vitest(process.argv.slice(2)),
];
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** @param {string} command @param {string[]} args @returns {Promise<Count>} */
async function one(command, args) {
  return (await run(command, args)) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** @param {string[]} filters @returns {Promise<Count>} */
async function vitest(filters) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
  const ok = await run("vitest", ["run", ...reporters, ...filters]);
  try {
    return tally(JSON.parse(readFileSync(REPORT, "utf8")), ok);
  } catch {
    console.log("vitest ended without a report");
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(REPORT, { force: true });
  }
}

/**
 * @param {{ numPassedTests: number, numFailedTests: number, testResults: { status: string, assertionResults: { status: string }[] }[] }} report
 * @param {boolean} ok vitest's own verdict: it also fails for an error outside of any test
 * @returns {Count}
 */
function tally(report, ok) {
  // A file that cannot be loaded has no test that failed, and counts as one.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const failed = report.numFailedTests + broken.length;
  return { passed: report.numPassedTests, failed: ok || failed > 0 ? failed : 1 };
}

/** @param {string} command @param {string[]} args @returns {Promise<boolean>} whether it succeeded */
function run(command, args) {
  console.log(`\n> ${[command, ...args].join(" ")}`);
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` };
  const child = spawn(join(BIN, command), args, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((resolve) => {
    child.on("error", () => resolve(false));
    child.on("close", (code) => resolve(code === 0));
  });
}
