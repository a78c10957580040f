// Runs `npm ci` with a Node of our choice.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";

const FLAGS = [
  "ci",
  "--ignore-scripts", // nothing that we install needs its scripts, and so none can do harm
  "--include=dev", // also with NODE_ENV=production: the build needs esbuild
  "--include=optional",
  "--no-audit",
  "--no-fund",
  "--no-update-notifier",
  "--loglevel=error",
  "--fetch-retry-mintimeout=1000", // by default a machine without a network learns of it after 70 s
  "--fetch-retry-maxtimeout=10000",
];
const NETWORK_ERRORS =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/;

export const CHECK_NETWORK =
  "Check the network and the proxy (`npm config get registry`, `npm config get proxy`), then run the same command again.";

/**
 * @param {string} folder with package.json and package-lock.json
 * @param {string} node the Node that runs npm. It decides which platform packages npm thinks fit.
 */
export async function npmCi(folder, node) {
  const cli = npmCli();
  const [command, args] = cli ? [node, [cli, ...FLAGS]] : ["npm", FLAGS];
  const { code, output } = await run(command, args, {
    cwd: folder,
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` },
  });
  if (code === 0) return;
  const reason = NETWORK_ERRORS.exec(output)?.[0];
  throw new Error(
    reason
      ? `the npm registry cannot be reached (${reason}).\n${CHECK_NETWORK}`
      : `npm ci failed in ${folder}:\n${output.trim().split("\n").slice(-15).join("\n")}`,
  );
}

/** @returns {string | undefined} npm's JavaScript entry; undefined where `npm` is a program of its own (volta, asdf) */
function npmCli() {
  const besideNode = join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js");
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "npm"));
  // In the order of "certainly the npm that the person uses" to "some npm".
  return [process.env.npm_execpath ?? "", besideNode, ...onPath]
    .filter((path) => existsSync(path))
    .map((path) => realpathSync(path))
    .find((path) => basename(path) === "npm-cli.js");
}

/**
 * Runs a program to its end. A signal to us goes to it as well: an npm that outlived us would write into the next one's work.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);

    /** @type {NodeJS.Signals | undefined} */
    let received;
    const forward = (/** @type {NodeJS.Signals} */ signal) => {
      received = signal;
      child.kill(signal);
    };
    const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
    for (const signal of signals) process.on(signal, forward);
    const settle = (/** @type {number} */ code) => {
      for (const signal of signals) process.off(signal, forward);
      if (received) process.kill(process.pid, received);
      resolve({ code, output });
    };
    child.on("error", (error) => {
      output += error.message;
      settle(127);
    });
    child.on("close", (code) => settle(code ?? 1));
  });
}
