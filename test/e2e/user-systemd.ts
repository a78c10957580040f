/**
 * A real systemd of a user, with nothing of this machine in its hands: in namespaces of its own, over a home, a /run and
 * a branch of the control groups that end with it. It takes root and a Linux with cgroup2; elsewhere it says what is missing.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "#test/house/sources.ts";
import type { Outcome } from "./person.ts";
import { eventually, firstLine } from "./waiting.ts";

const SYSTEMD = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].find((path) => existsSync(path));

/** In the mount namespace of the first script, and in cgroup and pid namespaces of its own besides. */
const INNER = `
mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run && mount --bind "$1" "$HOME" || exit 1
mkdir -p -m 700 "$XDG_RUNTIME_DIR" /run/systemd/system
"$2" --user >"$1/../manager.log" 2>&1 &
until [ -S "$XDG_RUNTIME_DIR/systemd/private" ]; do kill -0 $! || exit 1; sleep 0.05; done
echo ready
wait`;

const OUTER = `
mkdir "$3/groups" && mount -t cgroup2 none "$3/groups" && mkdir "$3/groups/$4" && echo $$ >"$3/groups/$4/cgroup.procs" || exit 1
umount "$3/groups"
exec unshare --mount --cgroup --pid --fork --mount-proc --kill-child sh -c "$INNER" sh "$1" "$2"`;

export type UserSystemd = {
  /** The person's home as it is seen from here. */
  home: string;
  folder: string;
  /** Runs a program inside, with that home. */
  run(command: string, args: readonly string[], env?: Record<string, string>): Promise<Outcome>;
  systemctl(...args: string[]): Promise<string>;
  end(): Promise<void>;
};

export function whyNoSystemd(): string | null {
  if (process.platform !== "linux" || SYSTEMD === undefined) return "there is no systemd here";
  if (process.getuid?.() !== 0) return "only root can make the namespaces that keep it apart";
  if (ROOT.startsWith(`${homedir()}/`)) return "the sources lie in the home that would be hidden";
  if (!readFileSync("/proc/filesystems", "utf8").includes("\tcgroup2")) return "there is no cgroup2 here";
  try {
    execFileSync("unshare", ["--mount", "--cgroup", "--pid", "--fork", "true"], { stdio: "ignore" });
    execFileSync("unshare", ["--mount", "sh", "-c", "mount -t cgroup2 none /mnt"], { stdio: "ignore" });
    return null;
  } catch {
    return "namespaces or cgroup2 aren't to be had here";
  }
}

export async function startUserSystemd(): Promise<UserSystemd> {
  const folder = mkdtempSync(join(tmpdir(), "mesh-systemd-"));
  const group = folder.split("/").at(-1) ?? "";
  const home = join(folder, "home");
  mkdirSync(home);
  const env = { PATH: process.env.PATH ?? "", HOME: homedir(), XDG_RUNTIME_DIR: "/run/user/0", USER: "root" };
  const args = [
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    OUTER,
    "sh",
    home,
    SYSTEMD ?? "",
    folder,
    group,
  ];
  const child = spawn("unshare", args, { env: { ...env, INNER }, stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(child, "exit");
  const end = async () => {
    child.kill("SIGKILL");
    await gone;
    await removeGroup(group);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await firstLine(child);
  } catch (error) {
    await end();
    throw error;
  }
  const inner = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  const run: UserSystemd["run"] = async (command, words, more = {}) => {
    const enter = ["--target", inner, "--mount", "--cgroup", "--pid", "--", command, ...words];
    const one = spawn("nsenter", enter, {
      cwd: ROOT,
      env: { ...env, ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    one.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    one.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [code] = await once(one, "close");
    return { code: Number(code ?? -1), stdout, stderr };
  };
  return {
    home,
    folder,
    run,
    end,
    systemctl: async (...words) => (await run("systemctl", ["--user", ...words])).stdout.trim(),
  };
}

/** Where its branch hangs in the tree depends on the machine. The kernel takes a moment to end what was in it. */
async function removeGroup(name: string): Promise<void> {
  const paths = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map((root) => join(root, name));
  for (const path of paths.filter(existsSync)) {
    const isEmpty = async () => readFileSync(join(path, "cgroup.events"), "utf8").includes("populated 0");
    await eventually(isEmpty, "the end of what ran under systemd");
    removeBranch(path);
  }
}

function removeBranch(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeBranch(join(path, entry.name));
  rmdirSync(path);
}
