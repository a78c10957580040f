// npm run test:claude: messages at the real Claude Code client, which is fetched into a cache first.
//
//   npm run test:claude            everything
//   npm run test:claude -- busy    only the tests whose path has "busy" in it
import { spawnSync } from "node:child_process";
import { count } from "#install/vitest.mjs";
import { clientPath, fetchClient, VERSION } from "./client-package.ts";

const MISSING =
  "tmux is needed: it is the terminal that the client runs in (apt install tmux, brew install tmux).";

if (spawnSync("tmux", ["-V"]).status !== 0) throw new Error(MISSING);
await fetchClient();

// With only loopback to reach, nothing that the client does can leave the machine. Only root may have that.
const alone = process.platform === "linux" && process.getuid?.() === 0;
console.log(
  alone
    ? "the client runs in a namespace whose network is loopback alone"
    : "the client runs without a namespace of its own (that takes root on Linux): environment variables keep it quiet",
);
// Processes have a namespace as well: none outlives a run that is cut short. A shell is the first of them, as it waits for all.
const namespace = [
  ...["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"],
  ...["sh", "-c", 'ip link set lo up && "$@"; exit $?', "sh"],
];
console.log(`Claude Code ${VERSION}: ${clientPath}`);
const args = ["--config", "test/claude/vitest.config.ts", ...process.argv.slice(2)];
const { passed, failed } = await count(args, alone ? namespace : []);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
