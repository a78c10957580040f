/** Two people on one broker: alice with her verbs, and bob with the real client. */
import { cpSync, mkdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { Person } from "#test/e2e/person.ts";
import { eventually } from "#test/e2e/waiting.ts";
import { createWorld } from "#test/e2e/world.ts";
import { type Claude, createClaude, type TerminalSession } from "./claude.ts";
import { type Model, startModel } from "./mock-api.ts";

export type ClaudeWorld = {
  alice: Person;
  bob: Person;
  /** Bob's. */
  claude: Claude;
  model: Model;
  /** Starts bob's client and waits until alice sees it by that address; idle after a first turn. */
  session(options?: Parameters<Claude["start"]>[0]): Promise<TerminalSession>;
  /** Waits until alice can reach it. */
  online(address: string): Promise<void>;
  /** Waits until the receipts of alice's message have that state, or end in another. @throws Error */
  reaches(id: string, state: string): Promise<Receipt>;
  receipts(id: string): Promise<readonly Receipt[]>;
};

export type Receipt = { state: string; at: string; by: string | null; detail: string | null };

export async function createClaudeWorld(): Promise<ClaudeWorld> {
  const world = createWorld();
  const home = join(world.folder, "bob-claude");
  mkdirSync(home);
  const requests = join(world.folder, "requests.jsonl");
  // Of a test that failed, what is worth a look; it runs before the world is taken down.
  onTestFinished(({ task }) => {
    if (task.result?.state === "fail") keepEvidence(task.name, world.folder);
  });
  const alice = await world.person("alice", null, ["--name", "alice"]);
  const bob = await world.person("bob", null, ["--name", "bob", "--no-broker"]);
  await world.team(alice, bob);
  const model = await startModel(requests);
  const claude = createClaude(home, model, {
    PATH: bob.env.PATH ?? "",
    CLAUDEMESH_HOME: bob.home,
    USER: "bob",
  });
  await putOnMesh(bob, claude);

  const online = async (address: string) => {
    await eventually(
      async () => JSON.stringify(await alice.ok("peers")).includes(`"${address}"`),
      `${address} among alice's peers`,
    );
  };
  const receipts = async (id: string): Promise<readonly Receipt[]> =>
    (await alice.ok("message", "status", id)).receipts;
  return {
    alice,
    bob,
    claude,
    model,
    online,
    async session(options = {}) {
      const session = await claude.start(options);
      await online(`bob/${options.folder ?? "payments"}`);
      await session.turn("good morning");
      return session;
    },
    receipts,
    reaches: (id, state) =>
      eventually(
        async () => (await receipts(id)).find((receipt) => receipt.state === state) ?? null,
        `the receipt "${state}"`,
        15_000,
      ),
  };
}

/** As a person does it; the service would be for the machine's own daemon. */
async function putOnMesh(bob: Person, { env }: Claude): Promise<void> {
  const { code, stderr } = await bob.run(["install", "--yes", "--no-service"], { env });
  if (code !== 0) throw new Error(`install failed: ${stderr}`);
}

/** Logs of daemons and client, transcripts, requests; no sockets, keys or databases. */
function keepEvidence(name: string, folder: string): void {
  const kept = join(tmpdir(), "claudemesh-test-claude", name.replace(/[^a-z0-9]+/gi, "-").slice(0, 80));
  cpSync(folder, kept, {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || /\.(jsonl?|log|txt)$/.test(path),
  });
  console.log(`what the client wrote, and what reached the model: ${kept}`);
}

/** How often the words are in what reached the model, counted where they are last repeated. */
export function timesHeard({ requests }: Model, words: string): number {
  const last = requests().findLast(({ text }) => text.includes(words));
  expect(last, `"${words}" never reached the model`).toBeDefined();
  return (last?.text.split(words).length ?? 1) - 1;
}
