/** doctor: what is well, what isn't, and what to do about it; with --fix what is safe is done. */
import { startCurrent } from "#adapters/current-daemon.ts";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { clientSocket } from "#adapters/home.ts";
import { VERSION } from "#adapters/version.ts";
import { errorShape, MeshError } from "#protocol/errors.ts";
import type { Check } from "#protocol/features/daemon.ts";
import { isNewer } from "#protocol/newer.ts";
import { paint, safe } from "../print.ts";
import type { Verb } from "../verb.ts";

export const doctor: Verb = {
  name: "doctor",
  group: "daemon",
  options: { fix: { type: "boolean", about: "mend what is safe to mend" } },
  summary: "what is well here and what isn't; --fix mends what is safe",
  examples: ["claudemesh doctor", "claudemesh doctor --fix"],
  local: true,
  async run({ options, print, timeoutMs }) {
    const { path, isGiven } = clientSocket();
    // Behind a socket that was handed over, the home is out of sight.
    const fix = options.fix === true && !isGiven;
    const { examineHome } = await import("#adapters/examine-home.ts");
    const { mendService, serviceChecks } = await import("#install/service/checks.ts");
    const outside = isGiven ? { checks: [], repairs: [] } : await examineHome(fix);
    const repairs = fix
      ? [...outside.repairs, ...(await mendService()), ...(await startOrReplace(path))]
      : outside.repairs;
    const service = isGiven ? [] : await serviceChecks();
    const checks = [...outside.checks, ...service, ...(await within(timeoutMs, daemonChecks(path)))];
    print({ checks, repairs }, [...repairs.map(repairLine), ...checks.map(checkLine)].join("\n"));
    if (checks.some(({ ok }) => ok === false)) process.exitCode = 1;
  },
};

/** What it did, in words. What keeps a daemon from starting is told by the checks that follow. */
async function startOrReplace(path: string): Promise<string[]> {
  try {
    const { already } = await startCurrent(path, [], false, { limited() {}, starting: (work) => work });
    return already ? [] : ["started the daemon"];
  } catch (error) {
    return [`couldn't start the daemon: ${errorShape(error).message}`];
  }
}

async function daemonChecks(path: string): Promise<Check[]> {
  let client: DaemonClient;
  try {
    client = await connectDaemon(path, { client: "cli", version: VERSION });
  } catch (error) {
    return [wrong("daemon", error)];
  }
  try {
    const { version, pid } = await client.welcome;
    const own = [good("daemon", `pid ${pid}`), versionCheck(version)];
    try {
      return [...own, ...(await client.daemon.daemon.doctor({})).checks];
    } catch (error) {
      return [...own, wrong("workspaces", error)];
    }
  } catch (error) {
    return [wrong("daemon", error)];
  } finally {
    client.close();
  }
}

function versionCheck(daemon: string): Check {
  if (daemon === VERSION) return good("version", VERSION);
  const detail = `The daemon is claudemesh ${daemon}, this is ${VERSION}.`;
  const fix = isNewer(VERSION, daemon)
    ? "Any other verb replaces it, say claudemesh up."
    : "Update this claudemesh.";
  return { name: "version", ok: false, detail, fix };
}

/** A daemon that takes the question and doesn't answer is a finding, not a reason to wait. */
function within(limitMs: number, checks: Promise<Check[]>): Promise<Check[]> {
  const silent = new MeshError(
    "timeout",
    `The daemon didn't answer within ${limitMs} ms.`,
    "Look at its process; see `claudemesh logs`.",
  );
  return Promise.race([
    checks,
    new Promise<Check[]>((resolve) => setTimeout(() => resolve([wrong("daemon", silent)]), limitMs)),
  ]);
}

function good(name: string, detail: string): Check {
  return { name, ok: true, detail, fix: null };
}

function wrong(name: string, error: unknown): Check {
  const { message, hint } = errorShape(error);
  return { name, ok: false, detail: message, fix: hint };
}

function checkLine({ name, ok, detail, fix }: Check): string {
  const sign = ok === null ? "–" : ok ? paint("green", "✓") : paint("red", "✗");
  const line = `${sign} ${name.padEnd(20)} ${safe(detail)}`;
  return ok === false && fix ? `${line}\n    ${paint("yellow", safe(fix))}` : line;
}

function repairLine(said: string): string {
  return `${paint("bold", "fixed")}: ${safe(said)}`;
}
