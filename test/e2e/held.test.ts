// The person's rules between two real daemons: held, released, dropped, and two sessions that never stop by themselves.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connectDaemon } from "#adapters/daemon-client.ts";
import { VERSION } from "#adapters/version.ts";
import type { Message } from "#protocol/features/message.ts";
import type { Person } from "./person.ts";
import { eventually } from "./waiting.ts";
import { createPair } from "./world.ts";

/** A session without a model: what it is shown is kept, and `then` may answer. */
async function startSession(person: Person, name: string, then: (message: Message) => string | null) {
  const { daemon } = await person.ok("status");
  const id = `id-${name}`;
  const client = await connectDaemon(daemon.socket, { client: "adapter", version: VERSION, session: id });
  onTestFinished(() => client.close());
  const shown: string[] = [];
  const place = { id, cwd: join(person.home, name), host: "here" };
  await client.daemon.session.attach(place, (event) => {
    if (event.type !== "message") return;
    shown.push(event.message.text);
    const text = then(event.message);
    if (text === null) return;
    client.daemon.message.send({ to: event.message.from.address, text, workspace: "acme" }).catch(() => {});
  });
  return { id, client, shown };
}

const statesOf = async (person: Person, id: string) =>
  (await person.ok("message", "status", id)).receipts.map(
    ({ state, detail }: { state: string; detail: string | null }) => ({ state, detail }),
  );

const heldAt = async (person: Person): Promise<Message[]> => (await person.ok("inbox", "--held")).messages;

const knows = (person: Person, address: string) =>
  eventually(async () => JSON.stringify(await person.ok("peers")).includes(address), address);

test("a held message waits for its person alone; released it is handed over once, dropped it is refused", async () => {
  const { alice, bob } = await createPair();
  const path = join(bob.home, "policy.yaml");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const docs = await startSession(bob, "docs", () => null);
  await knows(alice, "bob/docs");

  writeFileSync(path, "inbound:\n  - { from: alice, kind: session, do: hold }\n");
  await eventually(
    async () => (await bob.ok("policy", "show")).policy.inbound.length === 1,
    "the new rules at bob's",
  );
  const test = ["policy", "test", "--from", "alice", "--to", "docs"];
  expect(await bob.ok(...test)).toMatchObject({ outcome: "hold", rule: "inbound 1" });
  expect(await bob.ok(...test, "--kind", "topic")).toMatchObject({ outcome: "accept", rule: "default" });

  const first = await alice.ok("send", "bob/docs", "one");
  const second = await alice.ok("send", "bob/docs", "two");
  const isHeld = async (id: string) => (await statesOf(alice, id)).at(-1)?.state === "held";
  await eventually(() => isHeld(first.id), "the first to be held");
  await eventually(() => isHeld(second.id), "the second to be held");
  expect((await statesOf(alice, first.id)).at(-1).detail).toBe("a rule holds it for its person");
  expect((await heldAt(bob)).map(({ text, read }) => [text, read])).toEqual([
    ["one", false],
    ["two", false],
  ]);

  const inSession = { env: { CLAUDE_CODE_SESSION_ID: docs.id } };
  for (const verb of ["release", "drop"])
    expect((await bob.fails(7, ["message", verb, first.id], inSession)).code).toBe("refused");
  await expect(docs.client.daemon.message.release({ all: true })).rejects.toMatchObject({ code: "refused" });
  await expect(docs.client.daemon.policy.save({ text: "" })).rejects.toMatchObject({
    code: /refused|not_allowed/,
  });
  expect((await bob.okIn(docs.id, "inbox")).messages).toEqual([]);

  expect((await bob.ok("message", "release", first.id.slice(-8))).released).toMatchObject([{ id: first.id }]);
  await eventually(async () => docs.shown.length > 0, "the released one");
  expect(docs.shown).toEqual(["one"]);
  await eventually(
    async () => (await statesOf(alice, first.id)).at(-1)?.state === "handed over",
    "alice to hear of it",
  );
  expect((await bob.ok("message", "drop", "--all")).dropped).toMatchObject([{ id: second.id }]);
  const dropped = await eventually(
    async () =>
      (await statesOf(alice, second.id)).find(({ state }: { state: string }) => state === "refused") ?? null,
    "the refusal",
  );
  expect(dropped.detail).toBe("dropped");
  expect([await heldAt(bob), docs.shown]).toEqual([[], ["one"]]);
  expect((await bob.fails(5, ["message", "release", second.id])).code).toBe("not_found");

  writeFileSync(path, "inbound:\n  - { form: alice, do: hold }\n");
  const trouble = await eventually(
    async () => (await bob.ok("status")).daemon.policy.trouble as string | null,
    "the mistake to be noticed",
  );
  expect(trouble).toContain("policy.yaml, line 2, column 7");
  const doctor = await bob.run(["doctor", "--json"]);
  expect(doctor.stdout).toContain("policy.yaml, line 2, column 7");
  expect((await bob.ok("policy", "show")).policy.inbound).toHaveLength(1);
  await bob.ok("down");
  expect((await bob.ok("policy", "show")).policy.inbound).toEqual([]);
  expect(readFileSync(path, "utf8")).toContain("form: alice");
});

test("two sessions that answer each other for ever are stopped with one message held, and let go on once", async () => {
  const { alice, bob } = await createPair();
  let count = 0;
  const answers = () => `and another thing, number ${++count}`;
  const docs = await startSession(bob, "docs", answers);
  await knows(alice, "bob/docs");
  const payments = await startSession(alice, "payments", answers);
  await payments.client.daemon.message.send({ to: "bob/docs", text: "hello", workspace: "acme" });

  const held = async (howMany: number) => {
    const all = await eventually(async () => {
      const found = [...(await heldAt(alice)), ...(await heldAt(bob))];
      return found.length === 1 && docs.shown.length + payments.shown.length === howMany ? found : null;
    }, `one to be held after ${howMany}`);
    return all[0];
  };
  const first = await held(8);
  expect(first?.held).toBe("sessions have answered each other 8 times with nobody typing");
  await bob.ok("message", "release", first?.id ?? "");
  const second = await held(9);
  expect(second?.id).not.toBe(first?.id);
});
