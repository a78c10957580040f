// Runs vitest and counts what came of it.
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BIN = join(ROOT, "node_modules", ".bin");
const REPORT = join(ROOT, ".setup", `test-${process.pid}.json`);

/** @typedef {{ passed: number, failed: number }} Count */

/** @param {string[]} args @param {string[]} within a command that runs it @returns {Promise<Count>} */
export async function count(args, within = []) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
  const ok = await run([...within, "vitest", "run", ...reporters, ...args]);
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

/** @param {string[]} words a command of node_modules/.bin, or of the system @returns {Promise<boolean>} whether it succeeded */
export function run([command = "", ...args]) {
  console.log(`\n> ${[command, ...args].join(" ")}`);
  const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` };
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((resolve) => {
    child.on("error", () => resolve(false));
    child.on("close", (code) => resolve(code === 0));
  });
}
