// The daemon as a service of a real systemd: start, crash, stop, update, repair, and everything undone.
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSpec } from "#adapters/service/spec.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";
import { unitText } from "#install/service/unit.ts";
import { installCopy, installVersion } from "./installation.ts";
import { startUserSystemd, type UserSystemd, whyNoSystemd } from "./user-systemd.ts";
import { eventually } from "./waiting.ts";

const missing = whyNoSystemd();
if (missing !== null) console.log(`not tested under a real systemd: ${missing}`);
const systemTest = test.skipIf(missing !== null);

const UNIT = "claudemesh.service";
let systemd: UserSystemd;

beforeEach(async () => {
  if (missing === null) systemd = await startUserSystemd();
});
afterEach(async () => {
  if (missing === null) await systemd.end();
});

const verb = (args: readonly string[], launcher = launcherPath) => systemd.run(launcher, args);

async function ok(args: readonly string[], launcher = launcherPath) {
  const { code, stdout, stderr } = await verb([...args, "--json"], launcher);
  if (code !== 0) throw new Error(`claudemesh ${args.join(" ")} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

const up = (launcher = launcherPath) => ok(["up", "--name", "alice", "--no-broker"], launcher);
const pidOf = async (launcher = launcherPath): Promise<number> =>
  (await ok(["status", "--no-start"], launcher)).daemon.pid;
const show = (property: string) => systemd.systemctl("show", UNIT, "--property", property, "--value");
const mainPid = async () => Number(await show("MainPID"));

/** Takes a step as `install` and `uninstall` do. */
async function step(
  which: "installService" | "removeService",
  what: "apply" | "undo",
  launcher = launcherPath,
) {
  const module = pathToFileURL(join(launcher, "..", "..", "install/service/service.ts"));
  const source = `
    import { ${which} } from "${module}";
    const [step] = (await ${which}()).steps;
    await step.apply();
    ${what === "undo" ? "await step.undo();" : ""}`;
  const { code, stderr } = await systemd.run(process.execPath, ["--input-type=module", "--eval", source]);
  if (code !== 0) throw new Error(stderr);
}

const install = (launcher = launcherPath) => step("installService", "apply", launcher);

async function kill9(): Promise<void> {
  await systemd.run("kill", ["-9", String(await mainPid())]);
}

/** Every file, folder and link in a home but the daemon's own. */
function everything(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith(".claudemesh"))
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const stat = lstatSync(path);
      return `${name} ${stat.mode.toString(8)} ${stat.isFile() ? readFileSync(path, "utf8") : ""}`;
    });
}

systemTest(
  "installed, the service takes over from a daemon that runs already, and its pid is the daemon's",
  async () => {
    const before = (await up()).daemon.pid;
    await install();
    const after = await pidOf();
    expect(after).not.toBe(before);
    expect(await mainPid()).toBe(after);
    expect(await systemd.systemctl("is-enabled", UNIT)).toBe("enabled");
    expect(await show("NoNewPrivileges")).toBe("yes");
    const { stdout } = await verb(["doctor", "--json"]);
    const checks = JSON.parse(stdout).checks.filter(({ name }: { name: string }) =>
      name.startsWith("service"),
    );
    expect(checks.map(({ name, ok: well }: { name: string; ok: boolean }) => [name, well])).toEqual([
      ["service", true],
      ["service enabled", true],
      ["service running", true],
      ["service at boot", null],
    ]);
  },
);

systemTest("a daemon that is killed comes back by itself", async () => {
  await up();
  await install();
  const before = await mainPid();
  await kill9();
  await eventually(async () => {
    const now = await mainPid();
    return now !== 0 && now !== before && (await verb(["status", "--no-start"])).code === 0;
  }, "the daemon's return");
  expect(await show("NRestarts")).toBe("1");
});

systemTest("while it waits for its next try, a verb starts it at once, and down keeps it down", async () => {
  await up();
  await install();
  const dropIn = join(systemd.home, ".config/systemd/user", `${UNIT}.d`);
  mkdirSync(dropIn);
  writeFileSync(join(dropIn, "long.conf"), "[Service]\nRestartSec=1h\nRestartMaxDelaySec=infinity\n");
  await systemd.systemctl("daemon-reload");
  const waits = () => eventually(async () => (await show("SubState")) === "auto-restart", "the wait");
  await kill9();
  await waits();
  const { stdout } = await verb(["doctor"]);
  expect(stdout).toContain("It fails, and is started again after a while: it ended by signal (9)");
  const { daemon } = await ok(["status"]);
  expect(await mainPid()).toBe(daemon.pid);

  await kill9();
  await waits();
  expect(await ok(["down"])).toEqual({ stopped: true });
  expect(await show("ActiveState")).toBe("inactive");
});

systemTest("it starts with what a login starts", async () => {
  await up();
  await install();
  await ok(["down"]);
  await systemd.systemctl("stop", "default.target");
  await systemd.systemctl("start", "default.target");
  await eventually(async () => (await verb(["status", "--no-start"])).code === 0, "the daemon");
  expect(await mainPid()).toBe(await pidOf());
});

systemTest("down stops it for good, two verbs at once start it, and flags of up are remembered", async () => {
  await up();
  await install();
  expect(await ok(["down"])).toEqual({ stopped: true });
  expect(await show("ActiveState")).toBe("inactive");
  expect(await ok(["down"])).toEqual({ stopped: false });
  const [one, two] = await Promise.all([ok(["status"]), ok(["status"])]);
  expect([one.daemon.pid, two.daemon.pid]).toEqual([await mainPid(), await mainPid()]);

  await ok(["down"]);
  await ok(["up", "--broker", "http://127.0.0.1:9", "--no-broker"]);
  expect(await mainPid()).toBe(await pidOf());
  expect(JSON.parse(readFileSync(join(systemd.home, ".claudemesh/config.json"), "utf8")).broker).toBe(
    "http://127.0.0.1:9",
  );
});

systemTest("after an update in place, the first verb has the service start the newer version", async () => {
  const launcher = installVersion(systemd.folder, "0.0.9");
  await up(launcher);
  await install(launcher);
  const before = await ok(["status", "--no-start"], launcher);
  expect(before.daemon).toMatchObject({ version: "0.0.9", pid: await mainPid() });

  const manifest = join(launcher, "..", "..", "package.json");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace("0.0.9", VERSION));
  const after = await ok(["status"], launcher);
  expect(after.daemon).toMatchObject({ version: VERSION, pid: await mainPid() });
  expect(await show("NRestarts")).toBe("0");
});

systemTest(
  "a newer copy isn't held up by an older copy's service: it runs beside it and says so",
  async () => {
    const older = installVersion(systemd.folder, "0.0.9");
    await up(older);
    await install(older);
    const { code, stderr } = await verb(["status"]);
    expect(code).toBe(0);
    expect(stderr).toContain("older claudemesh");
    expect((await ok(["status", "--no-start"])).daemon.version).toBe(VERSION);
    expect((await verb(["up"])).code).toBe(0);
    const { stdout } = await verb(["doctor"]);
    expect(stdout).toContain("another copy of claudemesh");
  },
);

systemTest(
  "what a restart can't mend is tried once and told; doctor --fix has the service going again",
  async () => {
    await up();
    await install();
    await ok(["down"]);
    writeFileSync(join(systemd.home, ".claudemesh/config.json"), "{");
    const { code, stderr } = await verb(["status"]);
    expect(code).toBe(9);
    expect(stderr).toContain("config.json is damaged");
    expect(stderr).toContain("doctor --fix");
    expect([await show("ActiveState"), await show("NRestarts")]).toEqual(["failed", "0"]);

    expect((await verb(["doctor", "--fix"])).code).toBe(0);
    expect(await mainPid()).toBe(await pidOf());
  },
);

systemTest(
  "a launcher that has gone: verbs go on without the service and say so, doctor --fix writes it anew",
  async () => {
    const launcher = installVersion(systemd.folder, VERSION);
    await up(launcher);
    await install(launcher);
    await ok(["down"], launcher);
    rmSync(join(launcher, "..", ".."), { recursive: true });
    const { stderr } = await verb(["peers"]);
    expect(stderr).toContain("has gone");
    expect((await verb(["doctor"])).code).toBe(1);
    expect((await verb(["doctor", "--fix"])).code).toBe(0);
    await ok(["down"]);
    await ok(["up"]);
    expect(await mainPid()).toBe(await pidOf());
  },
);

systemTest(
  "a unit of an older version is named, and written anew with its own PATH; one changed by hand stays",
  async () => {
    await up();
    await install();
    const path = join(systemd.home, ".config/systemd/user", UNIT);
    const check = async () => {
      const { stdout } = await verb(["doctor", "--json"]);
      return JSON.parse(stdout).checks.find(({ name }: { name: string }) => name === "service");
    };
    const spec = readSpec(readFileSync(path, "utf8"));
    if (spec === null) throw new Error("it says nothing of itself");
    const environment = { PATH: `${spec.environment.PATH}:/opt/tools/bin` };
    writeFileSync(path, `${unitText({ ...spec, version: "0.0.9", environment })}# as it was then\n`);
    expect(await check()).toMatchObject({ ok: false, detail: expect.stringContaining("0.0.9") });
    expect((await verb(["doctor", "--fix"])).code).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(unitText({ ...spec, environment }));

    const edited = `${unitText(spec)}# mine\n`;
    writeFileSync(path, edited);
    expect((await verb(["doctor", "--fix"])).code).toBe(0);
    expect(await check()).toMatchObject({ ok: null, detail: expect.stringContaining("by hand") });
    expect(readFileSync(path, "utf8")).toBe(edited);
  },
);

systemTest("a folder's name may hold what means something to systemd", async () => {
  const launcher = installCopy(systemd.folder, `50% of $HOME's "%h"`, () => {});
  await up(launcher);
  await install(launcher);
  expect(await mainPid()).toBe(await pidOf(launcher));
});

systemTest("taken back, or removed, it leaves the home as it was", async () => {
  await up();
  await ok(["down"]);
  const before = everything(systemd.home);
  await step("installService", "undo");
  expect(everything(systemd.home)).toEqual(before);
  await install();
  const installed = everything(systemd.home);
  await step("removeService", "undo");
  expect(everything(systemd.home)).toEqual(installed);
  expect(await mainPid()).toBe(await pidOf());
  await step("removeService", "apply");
  expect(everything(systemd.home)).toEqual(before);
  expect(existsSync(join(systemd.home, ".claudemesh/install/service.json"))).toBe(false);
});

systemTest(
  "an installation that fails, or would write over somebody's own unit, changes nothing",
  async () => {
    await up();
    await ok(["down"]);
    writeFileSync(join(systemd.home, ".claudemesh/config.json"), "{");
    const before = everything(systemd.home);
    await expect(install()).rejects.toThrow("config.json is damaged");
    expect(everything(systemd.home)).toEqual(before);

    const units = join(systemd.home, ".config/systemd/user");
    mkdirSync(units, { recursive: true });
    writeFileSync(join(units, UNIT), "[Service]\nExecStart=/bin/true\n");
    const own = everything(systemd.home);
    await expect(install()).rejects.toThrow("claudemesh didn't write it");
    expect(everything(systemd.home)).toEqual(own);
  },
);
