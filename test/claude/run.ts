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

// With only loopback to reach, nothing that the client does can leave the machine; only root may have that.
const alone = process.platform === "linux" && process.getuid?.() === 0;
console.log(
  alone
    ? "the client runs in a network namespace that has nothing but loopback"
    : "the client runs without a network namespace (that takes root on Linux): environment variables keep it quiet",
);
const namespace = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
console.log(`Claude Code ${VERSION}: ${clientPath}`);
const args = ["--config", "test/claude/vitest.config.ts", ...process.argv.slice(2)];
const { passed, failed } = await count(args, alone ? namespace : []);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
