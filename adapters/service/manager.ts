/** The service manager of this user, and the daemon's service in its hands: systemd on Linux, launchd on macOS. */
import { execFile } from "node:child_process";
import { homedir, userInfo } from "node:os";
import { launchd } from "./launchd.ts";
import { systemd } from "./systemd.ts";

/** A manager that takes longer is one that hangs. A stop waits for the daemon's own, which has 15 s. */
const LIMIT_MS = 25_000;

export type ServiceState = {
  /** `waiting`: it has failed, and is started again after a while. */
  state: "running" | "starting" | "waiting" | "stopped" | "failed";
  pid: number | null;
  /** Whether it starts at the next login. */
  enabled: boolean;
  /** How it ended, in words; empty where there is nothing to say. */
  ending: string;
};

export type ServiceManager = {
  kind: "systemd" | "launchd";
  /** What its own tools call the service. */
  name: string;
  /** Where the file that describes the service belongs. */
  path: string;
  state(): Promise<ServiceState>;
  /** At once, also where it waits for its next try. Resolves when the process is there, which may be before the socket is. */
  start(): Promise<void>;
  /** Also from coming back by itself, until the next login. */
  stop(): Promise<void>;
  /** After the file was written: it is read, and started at each login. */
  enable(): Promise<void>;
  /** Before the file is removed. Stops it. */
  disable(): Promise<void>;
  /** After the file has gone or has changed. */
  reload(): Promise<void>;
};

export type Run = (command: string, args: readonly string[]) => Promise<{ code: number; said: string }>;

/** In words: why there is none. */
export type Absent = { absent: string };

export async function findManager(
  home: string,
  { platform = process.platform, run = runCommand }: { platform?: NodeJS.Platform; run?: Run } = {},
): Promise<ServiceManager | Absent> {
  // It reads the files of the account's home, and would see none of ours.
  if (homedir() !== userInfo().homedir) return { absent: "HOME isn't the home of this account" };
  if (platform === "linux") return systemd(home, run);
  if (platform === "darwin") return launchd(home, run);
  if (platform === "win32")
    return { absent: "Windows isn't supported; in WSL 2 claudemesh runs as on Linux" };
  return { absent: `there is none that claudemesh knows on ${platform}` };
}

const runCommand: Run = (command, args) =>
  new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: "C", XDG_RUNTIME_DIR: runtimeFolder() };
    execFile(command, [...args], { env, timeout: LIMIT_MS }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim();
      if (!error) resolve({ code: 0, said });
      else if (error.killed) resolve({ code: 1, said: `${command} didn't answer in ${LIMIT_MS / 1000} s` });
      else resolve({ code: typeof error.code === "number" ? error.code : 127, said: said || error.message });
    });
  });

/** cron and su leave the variable out; the folder is there all the same. */
export function runtimeFolder(): string {
  return process.env.XDG_RUNTIME_DIR ?? `/run/user/${userInfo().uid}`;
}
