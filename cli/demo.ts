/** The demo's two people: their homes in a throw-away folder, what they say to each other, and their end. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { connectDaemon, type DaemonClient } from "#adapters/daemon-client.ts";
import { socketPath } from "#adapters/home.ts";
import { type DaemonChild, startDaemon } from "#adapters/start-daemon.ts";
import { VERSION } from "#adapters/version.ts";

/** One thing that somebody did, or that became of it. */
export type Step = {
  who: string;
  did: "start" | "workspace" | "invite" | "join" | "session" | "say" | "receipt" | "topic" | "proof" | "end";
  text: string;
  to?: string;
};

export type Stage = {
  play(show: (step: Step) => Promise<void>): Promise<void>;
  /** Ends every process and removes the folder; may be called at any time. */
  clear(): Promise<void>;
};

/** `own`: as the person at a terminal, whom nobody asks; `client`: as their session. */
type Person = { name: string; child: DaemonChild; own: DaemonClient; client: DaemonClient };

const START_LIMIT_MS = 10_000;
const LOOK_AGAIN_MS = 10;

export function openStage(): Stage {
  const folder = mkdtempSync(join(tmpdir(), "claudemesh-demo-"));
  const people: Promise<Person>[] = [];

  const start = async (name: string, flags: readonly string[]): Promise<Person> => {
    const home = join(folder, name);
    // Attached: they end with this process, however it ends.
    const child = await startDaemon(["--name", name, ...flags], {
      attached: true,
      limitMs: START_LIMIT_MS,
      home,
    });
    const connect = (session?: string) =>
      connectDaemon(socketPath(home), { client: "cli", version: VERSION, session });
    return { name, child, own: await connect(), client: await connect(name) };
  };

  return {
    async play(show) {
      people.push(start("alice", []), start("bob", ["--no-broker"]));
      await show({ who: "alice", did: "start", text: "starts a daemon, and a broker beside it" });
      await show({ who: "bob", did: "start", text: "starts a daemon" });
      const [alice, bob] = await Promise.all(people);
      if (!alice || !bob) throw new Error("two were started");
      await meet(alice, bob, show);
      const texts = await talk(alice, bob, show);
      const { size, found } = lookFor(texts, join(folder, "alice", "broker"));
      if (found > 0) throw new Error("the broker's files hold what only the two should know");
      const text = `looked for all ${texts.length} texts in the broker's ${size} KiB of files: found none`;
      await show({ who: "broker", did: "proof", text });
    },
    async clear() {
      // Who is still starting would make the folder anew.
      const started = await Promise.allSettled(people.splice(0));
      await Promise.all(started.map((one) => (one.status === "fulfilled" ? end(one.value) : undefined)));
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function end({ child, own, client }: Person): Promise<void> {
  await own.daemon.daemon.stop({}).catch(() => {});
  await child.ended;
  own.close();
  client.close();
}

/** alice makes a workspace and a link, bob comes in by it, each with a session as Claude Code would have one. */
async function meet(alice: Person, bob: Person, show: (step: Step) => Promise<void>): Promise<void> {
  const a = alice.client.daemon;
  const b = bob.client.daemon;
  const { broker } = await a.daemon.status({});
  await show({ who: "alice", did: "start", text: `is up; the broker is at ${broker.url}` });
  await a.workspace.create({ name: "demo" });
  await show({
    who: "alice",
    did: "workspace",
    text: "makes the workspace demo: its keys are hers, not the broker's",
  });
  const { url } = await alice.own.daemon.invite.create({ workspace: "demo" });
  await show({
    who: "alice",
    did: "invite",
    text: `makes a link: ${url.split("#")[0]}#…; the secret stays behind the #`,
  });
  await b.session.attach({ id: "bob", cwd: "/home/bob/payments", host: hostname() }, () => {});
  await show({
    who: "bob",
    did: "session",
    text: "has a Claude session in ~/payments: its address is bob/payments",
  });
  const { member } = await bob.own.daemon.invite.accept({ url, waitMs: START_LIMIT_MS });
  await show({ who: "bob", did: "join", text: `joins by the link, as ${member.role}` });
  await until(async () => {
    const { peers } = await a.peer.list({ workspace: "demo" });
    return peers.some(({ sessions }) => sessions.some(({ address }) => address === "bob/payments"));
  });
}

/** Answers what was said. */
async function talk(alice: Person, bob: Person, show: (step: Step) => Promise<void>): Promise<string[]> {
  const texts: string[] = [];
  const workspace = "demo";

  const say = async (from: Person, to: string, text: string, replyTo?: string): Promise<string> => {
    texts.push(text);
    await show({ who: from.name, did: "say", to, text });
    const { message } = from.client.daemon;
    const wait = to.startsWith("#") ? "stored" : "delivered";
    const { id } = await message.send({ workspace, to, text, replyTo, wait, waitMs: START_LIMIT_MS });
    const { receipts } = await message.status({ workspace, id });
    const [first] = receipts;
    const after = (at: string) => Date.parse(at) - Date.parse(first?.at ?? at);
    const states = receipts.map(({ state, at, by }) => `${state}${by ? ` at ${by}'s` : ""} ${after(at)} ms`);
    await show({ who: from.name, did: "receipt", text: states.join(" · ") });
    return id;
  };

  const question = await say(alice, "bob/payments", "The build is red since your last commit. Yours?");
  await say(bob, "alice", "Mine, yes: a test that needs the network. Mending it.", question);
  await alice.client.daemon.topic.create({ workspace, topic: "deploys" });
  await show({
    who: "alice",
    did: "topic",
    text: "makes the topic #deploys; the broker sees neither name nor text",
  });
  await until(() => bob.client.daemon.topic.join({ workspace, topic: "deploys" }));
  await show({ who: "bob", did: "topic", text: "joins #deploys" });
  await say(bob, "#deploys", "Green again. @alice, 1.4 can go out.");
  await say(alice, "#deploys", "1.4 is out. Thanks!");
  await until(async () => {
    const { messages } = await bob.client.daemon.topic.history({ workspace, topic: "deploys" });
    return messages.length === 2;
  });
  return texts;
}

/** How many of the texts occur in the files of a folder. */
function lookFor(texts: readonly string[], folder: string): { size: number; found: number } {
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const size = Math.ceil(files.reduce((sum, file) => sum + file.length, 0) / 1024);
  return { size, found: texts.filter((text) => files.some((file) => file.includes(text))).length };
}

/** Looks again while it answers false or fails; the demo as a whole has a limit. */
async function until(check: () => Promise<unknown>): Promise<void> {
  while (!(await check().catch(() => false))) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
