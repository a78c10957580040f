/** A throw-away world of real processes: a broker, and people with homes of their own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { launcherPath } from "#adapters/start-daemon.ts";
import { end, endAllUnder } from "./ending.ts";
import { cleanEnv, type Person, personAt } from "./person.ts";
import { eventually, firstLine } from "./waiting.ts";

export type Broker = {
  url: string;
  port: number;
  data: string;
  pid(): number;
  /** Resolves with its exit code, or null when a signal ended it. */
  ended(): Promise<number | null>;
  kill9(): Promise<void>;
  /** Asks it to end by that signal, so many times, and answers its exit code. */
  signal(name: NodeJS.Signals, times?: number): Promise<number>;
  /** On the same port and data. */
  restart(): Promise<void>;
};

export type World = {
  folder: string;
  /**
   * `publicUrl`: the address that people know it by, when something stands in between. `data`: where it keeps its log.
   * `launch`: what starts it, with its own arguments before the broker's; `flags`: more of the broker's own.
   */
  broker(
    publicUrl?: string,
    options?: { data?: string; launch?: readonly [string, ...string[]]; flags?: readonly string[] },
  ): Promise<Broker>;
  /** `up` with that broker and none embedded; `flags` replace these. */
  person(name: string, broker: Pick<Broker, "url"> | null, flags?: readonly string[]): Promise<Person>;
  /** Somebody whose home isn't there yet. */
  newcomer(name: string): Person;
  /** alice makes "acme" and lets the others in. */
  team(alice: Person, ...others: readonly Person[]): Promise<void>;
};

/** `whenFinished`: of a test that runs beside others, its own. */
export function createWorld(whenFinished: typeof onTestFinished = onTestFinished): World {
  const folder = mkdtempSync(join(tmpdir(), "mesh-"));
  const brokers = new Set<number>();
  whenFinished(async () => {
    endAllUnder(folder);
    for (const pid of brokers) end(pid);
    for (const person of people) await person.run(["down", "--timeout", "2s"]);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const people: Person[] = [];

  const newcomer = (name: string): Person => {
    const made = personAt(join(folder, name), folder);
    people.push(made);
    return made;
  };

  const broker: World["broker"] = async (publicUrl, options = {}) => {
    const { data = join(folder, `broker-${brokers.size}`), launch = [launcherPath], flags = [] } = options;
    const known = publicUrl ? ["--public-url", publicUrl] : [];
    const start = async (port: number) => {
      const [command, ...before] = launch;
      const fixed = ["broker", "--json", "--port", String(port), "--data", data];
      const args = [...before, ...fixed, ...known, ...flags];
      const child = spawn(command, args, {
        stdio: ["ignore", "pipe", "inherit"],
        env: cleanEnv(folder),
      });
      brokers.add(child.pid ?? 0);
      const said = JSON.parse(await firstLine(child));
      // Where something else started it, that isn't the process itself.
      brokers.add(said.pid);
      return { child, port: Number(said.port), pid: Number(said.pid) };
    };
    let running = await start(0);
    return {
      url: publicUrl ?? `http://127.0.0.1:${running.port}`,
      port: running.port,
      data,
      pid: () => running.pid,
      ended: async () => running.child.exitCode ?? (await once(running.child, "exit"))[0],
      async kill9() {
        const gone = once(running.child, "exit");
        running.child.kill("SIGKILL");
        await gone;
      },
      async signal(name, times = 1) {
        const gone = once(running.child, "exit");
        for (let i = 0; i < times; i++) {
          running.child.kill(name);
          // Two of the same at once are one to the kernel: it has to have heard of the first.
          if (i + 1 < times) await eventually(() => hasLogged(data, "stopping"), "the first to be heard");
        }
        return Number((await gone)[0]);
      },
      async restart() {
        running = await start(running.port);
      },
    };
  };

  return {
    folder,
    broker,
    newcomer,
    async person(name, at, flags) {
      const made = newcomer(name);
      const where = at ? ["--broker", at.url, "--no-broker"] : [];
      const up = await made.run(["up", ...(flags ?? ["--name", name, ...where])]);
      if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
      return made;
    },
    async team(alice, ...others) {
      await alice.ok("workspace", "create", "acme");
      for (const other of others) {
        const { url } = await alice.ok("invite", "create", "--workspace", "acme");
        const { member } = await other.ok("join", url);
        const knows = async () => JSON.stringify(await alice.ok("peers")).includes(`"${member.name}"`);
        await eventually(knows, `${member.name} among alice's peers`);
      }
    },
  };
}

/** alice and bob in "acme", with the broker between them. */
export async function createPair() {
  const world = createWorld();
  const broker = await world.broker();
  const [alice, bob] = await Promise.all([world.person("alice", broker), world.person("bob", broker)]);
  await world.team(alice, bob);
  return { world, broker, alice, bob };
}

async function hasLogged(data: string, words: string): Promise<boolean> {
  return readFileSync(join(data, "broker.log"), "utf8").includes(`"${words}"`);
}
