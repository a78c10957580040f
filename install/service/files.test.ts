// The two files that a service manager reads: the same spec in both, and each as its manager takes it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readSpec, type ServiceSpec } from "#adapters/service/spec.ts";
import { launcherPath } from "#adapters/start-daemon.ts";
import { agentText } from "./agent.ts";
import { NOT_MENDED_BY_A_RESTART } from "./ending.ts";
import { readPlist } from "./plist.suite.ts";
import { unitText } from "./unit.ts";

const SPEC: ServiceSpec = {
  version: "1.2.3",
  launcher: launcherPath,
  environment: { PATH: "/usr/bin:/bin", CLAUDEMESH_HOME: "/home/alice/my mesh" },
  steps: false,
};
/** All that means something to systemd, to XML, or to JSON in a comment of either. */
const ODD: ServiceSpec = {
  ...SPEC,
  launcher: `/opt/50% of $HOME's "best" <b> & co -->\\x/bin/claudemesh`,
  environment: { PATH: `/a b:/%h:/$HOME:/"q":/<x>&--`, CLAUDEMESH_HOME: "/home/élodie/–" },
};

function scratchFile(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "mesh-service-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const has = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

test.each([SPEC, ODD, { ...SPEC, steps: true }])("each file says of itself what it was made from", (spec) => {
  expect(readSpec(unitText(spec))).toEqual(spec);
  expect(readSpec(agentText("claudemesh", spec))).toEqual(spec);
});

test.each([
  "",
  "[Service]\nExecStart=/bin/true\n",
  "# claudemesh-service {",
  '# claudemesh-service {"version":1}',
])("what isn't ours isn't taken for it: %j", (text) => {
  expect(readSpec(text)).toBe(null);
});

test("a restart is tried after what may pass, and not after what stays the same", () => {
  expect(NOT_MENDED_BY_A_RESTART).toContain(9); // bad_data, such as a damaged configuration
  expect(NOT_MENDED_BY_A_RESTART).not.toContain(1); // a crash
  expect(NOT_MENDED_BY_A_RESTART).not.toContain(8); // a full disk
});

test("only a systemd that knows how lets the waits grow", () => {
  expect(unitText(SPEC)).not.toMatch(/^RestartSteps/m);
  expect(unitText({ ...SPEC, steps: true })).toMatch(/^RestartSteps=6\nRestartMaxDelaySec=60$/m);
});

const systemd = Number(
  /^systemd (\d+)/.exec(spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1],
);
if (Number.isNaN(systemd)) console.log("systemd-analyze isn't here: nobody verifies the unit");

test.skipIf(Number.isNaN(systemd))("systemd finds nothing to complain of in the unit", () => {
  const runtime = mkdtempSync(join(tmpdir(), "mesh-runtime-"));
  onTestFinished(() => rmSync(runtime, { recursive: true }));
  const verify = (text: string) =>
    spawnSync("systemd-analyze", ["--user", "verify", scratchFile("claudemesh.service", text)], {
      encoding: "utf8",
      env: { ...process.env, XDG_RUNTIME_DIR: runtime },
    });
  const complaints = (text: string) =>
    verify(text)
      .stderr.split("\n")
      .filter((line) => line.includes("claudemesh"));
  for (const spec of [SPEC, ODD])
    expect(complaints(unitText({ ...spec, steps: systemd >= 254 }))).toEqual([]);
  expect(verify(unitText({ ...SPEC, steps: systemd >= 254 })).status).toBe(0);
  // The check sees what is wrong.
  expect(complaints(`${unitText(SPEC)}\n[Service]\nRestart=sometimes\n`)).not.toEqual([]);
});

test.each([SPEC, ODD])(
  "the agent has the keys of launchd.plist(5), each of its type, and says the same",
  (spec) => {
    const agent = readPlist(agentText("claudemesh", spec));
    expect(agent).toMatchObject({
      Label: "claudemesh",
      ProgramArguments: [spec.launcher, "__daemon"],
      EnvironmentVariables: spec.environment,
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 10,
      Umask: 0o077,
    });
  },
);

test("the check of the agent sees an unknown key, a wrong type, and XML that isn't any", () => {
  const text = agentText("claudemesh", SPEC);
  expect(() => readPlist(text.replace("<key>RunAtLoad</key>", "<key>RunAtLoaded</key>"))).toThrow(
    "RunAtLoaded",
  );
  expect(() => readPlist(text.replace("<integer>10</integer>", "<string>30</string>"))).toThrow(
    "ThrottleInterval",
  );
  expect(() => readPlist(text.replace("</dict>", ""))).toThrow();
  expect(() => readPlist(text.replace("<true/>", "<yes/>"))).toThrow();
});

const others = [
  { name: "plutil", is: has("plutil", "-help"), args: ["-lint"] },
  { name: "Python's plistlib", is: has("python3", "-c", "import plistlib"), args: [] },
];
for (const { name, is } of others) if (!is) console.log(`${name} isn't here: it doesn't check the agent`);

test.skipIf(!others[0]?.is)("plutil finds nothing to complain of in the agent", () => {
  const { status } = spawnSync("plutil", [
    "-lint",
    scratchFile("claudemesh.plist", agentText("claudemesh", ODD)),
  ]);
  expect(status).toBe(0);
});

test.skipIf(!others[1]?.is)("another reader of property lists reads the same in it", () => {
  const path = scratchFile("claudemesh.plist", agentText("claudemesh", ODD));
  const source = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
  const { stdout } = spawnSync("python3", ["-c", source, path], { encoding: "utf8" });
  expect(JSON.parse(stdout)).toEqual(readPlist(agentText("claudemesh", ODD)));
});
