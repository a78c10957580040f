/** What `claudemesh broker` is told on its command line. */
import { join, resolve } from "node:path";
import yargs from "yargs";
import { homePath } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import { MeshError } from "#protocol/errors.ts";
import { DEFAULT_RETENTION, type RetentionPolicy } from "../ports.ts";

const DAY_MS = 86_400_000;
const MEBIBYTE = 1024 ** 2;

export type Options = {
  host: string;
  port: number;
  data: string;
  publicUrls: string[];
  trustedProxies: string[];
  metricsTokenFile: string | undefined;
  smtpFile: string | undefined;
  backup: string | undefined;
  restored: boolean;
  registeredOnly: boolean;
  json: boolean;
  parentPipe: boolean;
  retention: RetentionPolicy;
};

/** @throws MeshError usage */
export function readOptions(argv: string[]): Options {
  const values = yargs(argv)
    .scriptName("claudemesh broker")
    .usage("$0\n\nRelays sealed messages between daemons; it can read none of them.")
    .option("host", { type: "string", default: "127.0.0.1", describe: "address to listen on" })
    .option("port", { type: "number", default: 7433, describe: "port to listen on; 0 takes a free one" })
    .option("data", { type: "string", default: join(homePath(), "broker"), describe: "where the log lives" })
    .option("public-url", {
      type: "string",
      array: true,
      default: [],
      describe: "the address that devices use, when a proxy stands in front",
    })
    .option("retain-days", {
      type: "number",
      default: DEFAULT_RETENTION.keepMs / DAY_MS,
      describe: "days after which messages go; membership and current values stay",
    })
    .option("retain-mb", {
      type: "number",
      default: DEFAULT_RETENTION.quotaBytes / MEBIBYTE,
      describe: "MiB of a workspace from which on its oldest messages go",
    })
    .option("trusted-proxy", {
      type: "string",
      array: true,
      default: [],
      describe: "address of a proxy, other than this machine, whose X-Forwarded-For is believed",
    })
    .option("metrics-token-file", {
      type: "string",
      describe:
        "a file with the token that opens /metrics from anywhere; without, it is for this machine only",
    })
    .option("smtp-file", {
      type: "string",
      describe: 'a file with {"url":"smtp://user:password@host:587","from":"…"}: invites may go by e-mail',
    })
    .option("registered-only", {
      type: "boolean",
      default: false,
      describe: "only who has an account here may found or join a workspace; members go on",
    })
    .option("backup", {
      type: "string",
      describe: "write a copy of the log to this file, whether or not a broker runs on it, and end",
    })
    .option("restored", {
      type: "boolean",
      default: false,
      describe: "the log in --data comes from a backup: let the devices know by its id, and end",
    })
    .option("json", {
      type: "boolean",
      default: false,
      describe: 'print {"url","port","pid"} once it listens, or what was done',
    })
    // The daemon's embedded broker ends with the daemon: its stdin closes.
    .option("parent-pipe", { type: "boolean", default: false, hidden: true })
    .example("$0 --host 0.0.0.0 --data /var/lib/claudemesh", "for a team, on a machine that all can reach")
    .version(VERSION)
    .strict()
    .fail((message, error) => {
      throw error ?? new MeshError("usage", message, "See `claudemesh broker --help`.");
    })
    .parseSync();
  const { host, port, json, data, parentPipe, retainDays, retainMb, backup, restored } = values;
  const { publicUrl: publicUrls, trustedProxy: trustedProxies, metricsTokenFile, smtpFile } = values;
  const { registeredOnly } = values;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new MeshError("usage", "--port is not a port.", "Give a number from 0 to 65535.");
  }
  if (!(retainDays > 0 && retainMb > 0)) {
    throw new MeshError(
      "usage",
      "--retain-days and --retain-mb are more than 0.",
      "Leave them out for 90 days, 4096 MiB.",
    );
  }
  const retention = {
    ...DEFAULT_RETENTION,
    keepMs: retainDays * DAY_MS,
    quotaBytes: retainMb * MEBIBYTE,
  };
  return {
    host,
    port,
    json,
    data: resolve(data),
    publicUrls,
    trustedProxies,
    metricsTokenFile,
    smtpFile,
    backup,
    restored,
    registeredOnly,
    parentPipe,
    retention,
  };
}
