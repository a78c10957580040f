// Which session gets a message, by which name, and what the sender is told where there is none.
import { expect, test } from "vitest";
import type { Caller, CallingSession } from "#sdk/peer.ts";
import { CALLER, createMesh, type Member, refusedWith } from "#test/mesh.ts";
import { faceOf } from "#test/session-face.ts";

/** The last active first, as the daemon gives them. */
function attach(member: Member, ...names: readonly string[]): void {
  const { database } = member.peer;
  for (const name of names) {
    database
      .sql("INSERT OR IGNORE INTO sessions (name, id, cwd, seen_at) VALUES (?, ?, '/x', 0)")
      .run(name, `id-${name}`);
  }
  member.peer.setSessions(names.map((name) => faceOf(name, { id: `id-${name}` })));
}

const as = (name: string): Caller => ({ ...CALLER, session: sessionOf(name) });
const sessionOf = (name: string): CallingSession => ({ id: `id-${name}`, name, names: [name] });

async function texts(member: Member, session: string): Promise<string[]> {
  const { messages } = await member.handlers.message.inbox({}, as(session), () => {});
  return messages.map(({ text }) => text);
}

async function pair() {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  return { mesh, alice, bob };
}

const states = async (member: Member, id: string) => {
  const { receipts } = await member.handlers.message.status({ id }, CALLER, () => {});
  return receipts;
};

/** Until the name has come as an address. */
async function knows(member: Member, address: string): Promise<void> {
  await member.until(
    async () => (await refusedWith(member.send(address, `ping ${address}`))) === "nothing",
    address,
  );
}

test("what is for a member is one session's, the last active; the others don't see it", async () => {
  const { alice, bob } = await pair();
  attach(alice, "docs", "payments");
  await bob.send("alice", "one");
  await alice.until(async () => (await alice.inbox()).length === 1, "it");
  attach(alice, "payments", "docs");
  await bob.send("alice", "two");
  await alice.until(async () => (await alice.inbox()).length === 2, "both");
  expect([await texts(alice, "docs"), await texts(alice, "payments")]).toEqual([["one"], ["two"]]);
});

test("what comes while no session is there is for the first that comes", async () => {
  const { alice, bob } = await pair();
  await bob.send("alice", "early");
  await alice.until(async () => (await alice.inbox()).length === 1, "it");
  attach(alice, "docs", "payments");
  expect([await texts(alice, "docs"), await texts(alice, "payments")]).toEqual([["early"], []]);
});

test("an address outlives its session, and a name that moved forwards", async () => {
  const { alice, bob } = await pair();
  attach(alice, "payments");
  await knows(bob, "alice/payments");
  alice.peer.setSessions([]);
  await bob.send("alice/payments", "while nobody is there");
  alice.peer.database.sql("UPDATE sessions SET forwards = 'billing' WHERE name = 'payments'").run();
  attach(alice, "billing");
  const old = { to: "alice/payments", text: "moved" };
  const isForwarded = async () =>
    (await bob.handlers.message.send(old, CALLER, () => {})).to === "alice/billing";
  await bob.until(isForwarded, "the new name at bob's");
  await alice.until(async () => (await texts(alice, "billing")).includes("moved"), "it under the new name");
});

test("an unknown session is refused at once, with the nearest; by the receiver's device too", async () => {
  const { alice, bob } = await pair();
  attach(alice, "payments");
  await knows(bob, "alice/payments");
  const wrong = bob.send("alice/paymens", "typo");
  await expect(wrong).rejects.toMatchObject({
    code: "unknown_address",
    hint: "Did you mean alice/payments?",
  });
  // The sender's index says otherwise: the receiver's daemon has the last word.
  bob
    .opened()
    .workspace.replica.db.sql("UPDATE session_claims SET name = 'ghost' WHERE name = 'payments'")
    .run();
  const { id } = await bob.send("alice/ghost", "to nobody");
  await bob.until(
    async () => (await states(bob, id)).some(({ state }) => state === "refused"),
    "the refusal",
  );
  const refusal = (await states(bob, id)).find(({ state }) => state === "refused");
  expect(refusal).toMatchObject({ by: "alice", detail: expect.stringContaining('no session "ghost"') });
});

test("one's own sessions reach each other with no broker", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await alice.peer.create("personal", null);
  attach(alice, "docs", "payments");
  await alice.handlers.message.send({ to: "me/payments", text: "from docs" }, as("docs"), () => {});
  await alice.handlers.message.send({ to: "me/*", text: "for my others" }, as("docs"), () => {});
  expect(await texts(alice, "payments")).toEqual(["from docs", "for my others"]);
  expect(await texts(alice, "docs")).toEqual([]);
});

test("a group is who joined it; who left it hears nothing more", async () => {
  const { mesh, alice, bob } = await pair();
  const carol = await mesh.person("carol");
  const { url } = await alice.handlers.invite.create({}, CALLER, () => {});
  await carol.handlers.invite.accept({ url }, CALLER, () => {});
  await bob.handlers.group.join({ group: "backend", role: "reviewer" }, CALLER, () => {});
  await knows(alice, "@backend");
  await bob.until(async () => (await bob.inbox()).some(({ to }) => to === "@backend"), "it at bob");
  expect(await carol.inbox()).toEqual([]);
  const { groups } = await alice.handlers.group.list({}, CALLER, () => {});
  expect(groups).toMatchObject([
    { name: "backend", joined: false, members: [{ name: "bob", role: "reviewer" }] },
  ]);
  await bob.handlers.group.leave({ group: "@backend" }, CALLER, () => {});
  const isEmpty = async () => (await refusedWith(alice.send("@backend", "anyone?"))) === "unknown_address";
  await alice.until(isEmpty, "the group to be empty");
});

test("a conversation goes by the message that began it", async () => {
  const { alice, bob } = await pair();
  const first = await alice.send("bob", "a question");
  await bob.until(async () => (await bob.inbox()).length === 1, "the question");
  const reply = { to: "alice", text: "an answer", replyTo: first.id };
  const second = await bob.handlers.message.send(reply, CALLER, () => {});
  await alice.until(async () => (await alice.inbox()).length === 1, "the answer");
  const thanks = { to: "bob", text: "a further question", replyTo: second.id };
  await alice.handlers.message.send(thanks, CALLER, () => {});
  await bob.until(async () => (await bob.inbox()).length === 2, "the further question");
  expect((await bob.inbox()).map(({ replyTo, thread }) => [replyTo, thread])).toEqual([
    [null, null],
    [second.id, first.id],
  ]);
});
