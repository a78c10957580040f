// Type check, lint, all tests; ends with one line, `N passed, M failed`. The type check and the lint count as one test each.
//
//   npm test               everything
//   npm test -- broker     only the tests whose path has "broker" in it
import { count, run } from "./vitest.mjs";

/** @typedef {import("./vitest.mjs").Count} Count */

const counts = [
  await one("tsc", []),
  await one("biome", ["check", "--error-on-warnings", "."]),
  await count(process.argv.slice(2)),
];
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** @param {string} command @param {string[]} args @returns {Promise<Count>} */
async function one(command, args) {
  return (await run([command, ...args])) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}
