// A hundred sessions on each of two daemons: all have an address, are seen, and get what is theirs alone.
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { VERSION } from "#adapters/version.ts";
import type { Message } from "#protocol/features/message.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

const COUNT = 100;

/** Attached as an adapter does, without a process for each; what each is handed is kept by its name. */
async function attachMany(person: Person, socket: string): Promise<Map<string, Message[]>> {
  const heard = new Map<string, Message[]>();
  for (let i = 0; i < COUNT; i++) {
    const id = `${person.home}-${i}`;
    const client = await connectDaemon(socket, { client: "adapter", version: VERSION, session: id });
    const got: Message[] = [];
    const { name } = await client.daemon.session.attach(
      { id, cwd: join(person.home, `project-${i}`), host: "here" },
      (event) => event.type === "message" && got.push(event.message),
    );
    heard.set(name, got);
  }
  return heard;
}

test("two hundred sessions keep their addresses, presence and routing apart", async () => {
  const { alice, bob } = await createPair();
  const people = { alice, bob };
  const heard: Record<string, Map<string, Message[]>> = {};
  for (const [name, person] of Object.entries(people)) {
    const { daemon } = await person.ok("status");
    heard[name] = await attachMany(person, daemon.socket);
    expect(heard[name].size).toBe(COUNT);
  }

  for (const [name, person] of Object.entries(people)) {
    const other = name === "alice" ? "bob" : "alice";
    const wanted = [...(heard[other]?.keys() ?? [])].map((session) => `${other}/${session}`).toSorted();
    const seesAll = async () => {
      const { peers } = await person.ok("peers", "--workspace", "acme");
      const found = peers.find((peer: { name: string }) => peer.name === other).sessions;
      const addresses = found.map(({ address }: { address: string }) => address).toSorted();
      return JSON.stringify(addresses) === JSON.stringify(wanted);
    };
    await eventually(seesAll, `all of ${other}'s sessions at ${name}'s`);
  }

  const client = await bob.client();
  const told = Array.from({ length: COUNT }, (_, i) => `project-${i}`);
  await Promise.all(
    told.map((session) => client.daemon.message.send({ to: `alice/${session}`, text: `for ${session}` })),
  );
  const all = () => [...(heard.alice?.values() ?? [])].reduce((sum, got) => sum + got.length, 0);
  await eventually(async () => all() >= COUNT, "all that was said");
  for (const session of told) {
    expect(
      heard.alice?.get(session)?.map(({ text }) => text),
      session,
    ).toEqual([`for ${session}`]);
  }

  // To the member: one session of hers, the one that spoke last.
  await alice.okIn(`${alice.home}-42`, "send", "bob", "hello", "--wait", "delivered");
  await bob.ok("send", "alice", "for whoever is there", "--wait", "delivered");
  await bob.ok("send", "alice/*", "for all of them", "--wait", "delivered");
  await eventually(async () => all() >= 2 * COUNT + 1, "the rest");
  const whoGot = (text: string) =>
    [...(heard.alice ?? [])].filter(([, got]) => got.some((one) => one.text === text)).map(([name]) => name);
  expect(whoGot("for whoever is there")).toEqual(["project-42"]);
  expect(whoGot("for all of them")).toHaveLength(COUNT);
  const { messages } = await alice.okIn(`${alice.home}-41`, "inbox");
  expect(messages.map(({ text }: { text: string }) => text)).toEqual(["for project-41", "for all of them"]);
});
