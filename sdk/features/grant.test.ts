// What a member may do to me: said on one machine, true on all; and what becomes of what one says who may not.
import { expect, test } from "vitest";
import { openSqlite } from "#adapters/sqlite.ts";
import { MIGRATIONS } from "#broker/adapters/sqlite-migrations.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { RIGHTS, type Right } from "#protocol/rights.ts";
import { CALLER, createMesh, type Frame, type Member, type Mesh, ORIGIN, refusedWith } from "#test/mesh.ts";
import { blockedAtBroker } from "../membership/grants.ts";
import { mayDo } from "./grant.ts";

const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);
const hears = (member: Member, text: string) =>
  member.until(async () => (await texts(member)).includes(text), `"${text}"`);
const peerOf = (member: Member) => member.handlers.peer;
const may = (one: Member, other: Member, right: Right, session?: string) =>
  mayDo(one.opened().workspace, other.peer.account.user, right, session);

const states = async (member: Member, id: string) =>
  (await member.handlers.message.status({ id }, CALLER, () => {})).receipts.map(({ state }) => state);
const reaches = (member: Member, id: string, state: string) =>
  member.until(async () => (await states(member, id)).some((one) => one === state), state);

const sees = (one: Member, other: Member) =>
  one
    .opened()
    .workspace.presence.present()
    .some(({ member }) => member === other.peer.account.user);

const BARRED = "SELECT * FROM records WHERE status = 'barred'";

async function pair() {
  const mesh = await createMesh();
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice, bob);
  await alice.until(() => sees(alice, bob), "bob's face");
  return { mesh, alice, bob };
}

async function secondDevice(mesh: Mesh, alice: Member): Promise<Member> {
  const desk = await mesh.person("alice", "desk");
  await desk.peer.add(alice.opened().workspace.id, ORIGIN, null);
  await desk.until(
    () => desk.opened().slug === "acme" && [...desk.opened().workspace.names().values()].includes("bob"),
    "the names",
  );
  return desk;
}

const block = (member: Member, peer: string) => peerOf(member).block({ peer }, CALLER, () => {});
const unblock = (member: Member, peer: string) => peerOf(member).unblock({ peer }, CALLER, () => {});

/** The broker has been told, and has said so. */
const isToldOf = (member: Member, ...blocked: readonly Member[]) =>
  member.until(() => {
    const members = blockedAtBroker(member.opened().workspace.replica);
    return members.join() === blocked.map((one) => one.peer.account.user).join();
  }, "the broker to know it");

/** How many records of that author the device is pushed from now on. */
function pushedFrom(member: Member, author: Member) {
  const { user } = author.peer.account;
  const pushed = { count: 0 };
  member.toDevice = (frame: Frame) => {
    const text = typeof frame === "string" ? "" : Buffer.from(frame).toString("latin1");
    if (text.includes('"type":"push"') && text.includes(`"from":"${user}"`)) pushed.count++;
    return [frame];
  };
  return pushed;
}

test("without a word a member may write and wake, and nothing else; a word holds on all of one's machines", async () => {
  const { mesh, alice, bob } = await pair();
  const desk = await secondDevice(mesh, alice);
  const rights = (member: Member) => RIGHTS.filter((right) => may(member, bob, right));
  expect(rights(alice)).toEqual(["message", "wake"]);
  await peerOf(alice).grant({ peer: "bob", rights: ["ask", "read-files"] }, CALLER, () => {});
  await peerOf(alice).revoke({ peer: "bob", rights: ["wake"] }, CALLER, () => {});
  expect(rights(alice)).toEqual(["message", "read-files", "ask"]);
  await desk.until(() => rights(desk).join() === "message,read-files,ask", "the word on the desk");
  await peerOf(desk).revoke({ peer: "bob", rights: ["ask"] }, CALLER, () => {});
  await alice.until(() => rights(alice).join() === "message,read-files", "the desk's word");
  const { grants } = await peerOf(alice).grants({}, CALLER, () => {});
  expect(grants).toMatchObject([
    { name: "bob", workspace: "acme", blocked: false, rights: ["message", "read-files"] },
  ]);
  // What alice lets bob do is hers to know.
  expect([may(bob, alice, "read-files"), bob.refusals()]).toEqual([false, []]);
});

test("a right to one session is to that one alone, and goes with the right to all", async () => {
  const { alice, bob } = await pair();
  const { database } = alice.peer;
  database
    .sql("INSERT INTO sessions (name, id, cwd, seen_at) VALUES ('payments', 's-1', '/payments', 1)")
    .run();
  const { grant, revoke } = peerOf(alice);
  const rights: Right[] = ["ask"];
  const misspelt = async () => grant({ peer: "bob", rights, session: "paymnts" }, CALLER, () => {});
  expect(await refusedWith(misspelt())).toBe("not_found");
  await grant({ peer: "bob", rights, session: "payments" }, CALLER, () => {});
  const asked = () => [
    may(alice, bob, "ask", "payments"),
    may(alice, bob, "ask", "x"),
    may(alice, bob, "ask"),
  ];
  expect(asked()).toEqual([true, false, false]);
  await grant({ peer: "bob", rights }, CALLER, () => {});
  expect(asked()).toEqual([true, true, true]);
  await revoke({ peer: "bob", rights }, CALLER, () => {});
  expect(asked()).toEqual([false, false, false]);
  await grant({ peer: "bob", rights }, CALLER, () => {});
  expect(asked()).toEqual([true, true, true]);
});

test("who may not write is told so, nothing of it is shown, and not later either", async () => {
  const { mesh, alice, bob } = await pair();
  await peerOf(alice).revoke({ peer: "bob", rights: ["message"] }, CALLER, () => {});
  const { id } = await bob.send("alice", "may I?");
  await reaches(bob, id, "refused");
  const { receipts } = await bob.handlers.message.status({ id }, CALLER, () => {});
  expect(receipts.at(-1)).toMatchObject({ state: "refused", by: "alice", detail: "no grant" });
  expect(await states(bob, id)).not.toContain("delivered");
  expect(await texts(alice)).toEqual([]);

  await peerOf(alice).grant({ peer: "bob", rights: ["message"] }, CALLER, () => {});
  const again = await bob.send("alice", "and now?");
  await reaches(bob, again.id, "delivered");
  expect(await texts(alice)).toEqual(["and now?"]);
  // Not by making the indexes anew, nor by a new start.
  alice.opened().workspace.replica.setMeta("indexes", "of another version");
  await alice.stop();
  const later = await mesh.person("alice");
  expect(await texts(later)).toEqual(["and now?"]);
});

test("who is blocked sees what one sees who is never there, and nothing of theirs comes to my machines", async () => {
  const { mesh, alice, bob } = await pair();
  const desk = await secondDevice(mesh, alice);
  await bob.send("alice", "before");
  for (const one of [alice, desk]) await hears(one, "before");
  block(alice, "bob");
  await isToldOf(alice, bob);
  await isToldOf(desk, bob);
  const pushed = [alice, desk].map((one) => pushedFrom(one, bob));

  const { id } = await bob.send("alice", "still there?");
  await reaches(bob, id, "stored");
  // Something behind it in the log, which does come.
  await desk.handlers.message.send({ to: "me", text: "a note" }, CALLER, () => {});
  for (const one of [alice, desk]) {
    await hears(one, "a note");
    expect(await texts(one)).toEqual(["before", "a note"]);
    expect([one.refusals(), one.opened().workspace.findings()]).toEqual([[], []]);
  }
  expect(pushed.map(({ count }) => count)).toEqual([0, 0]);
  expect(await states(bob, id)).toEqual(["queued", "stored"]);
  // A device that comes back is given pages: those have nothing of it either.
  alice.cut();
  await bob.send("alice", "hello?");
  await desk.handlers.message.send({ to: "me", text: "another" }, CALLER, () => {});
  await hears(alice, "another");
  expect([pushed[0]?.count, await texts(alice)]).toEqual([0, ["before", "a note", "another"]]);
});

test("of who is blocked nothing is shown in rooms, nor that they are there, whatever the broker does", async () => {
  const { alice, bob } = await pair();
  await alice.handlers.topic.create({ topic: "deploys" }, CALLER, () => {});
  const knows = async () => (await bob.handlers.topic.list({}, CALLER, () => {})).topics.length === 1;
  await bob.until(knows, "the topic");
  // A broker that doesn't know of blocks: it says that it does.
  alice.toBroker = (frame) => {
    const { type, request } = typeof frame === "string" ? JSON.parse(frame) : { type: "", request: 0 };
    return type === "block" ? [JSON.stringify({ type: "block", request, members: [] })] : [frame];
  };
  block(alice, "bob");
  await isToldOf(alice, bob);
  const told: string[] = [];
  alice.peer.listen((_, happening) => {
    if (happening.type === "told" || happening.type === "peer") told.push(happening.type);
    if (happening.type === "applied" && happening.event.kind === "message") told.push(happening.event.text);
  });
  expect([sees(alice, bob), may(alice, bob, "message"), may(alice, bob, "wake")]).toEqual([
    false,
    false,
    false,
  ]);

  bob.opened().workspace.signals.tell(EVERYONE, { kind: "typing", to: "*" });
  bob.peer.setSessions([]);
  const { id } = await bob.send("alice", "hello");
  await bob.send("*", "hello all");
  await bob.handlers.topic.send({ topic: "deploys", text: "in the room" }, CALLER, () => {});
  const isHere = () => alice.opened().workspace.replica.db.sql(BARRED).all().length === 3;
  await alice.until(isHere, "what bob said");
  await alice.handlers.message.send({ to: "me", text: "a note" }, CALLER, () => {});
  await hears(alice, "a note");
  const read = await alice.handlers.topic.history({ topic: "deploys" }, CALLER, () => {});
  expect([await texts(alice), read.messages, told.filter((one) => one !== "a note")]).toEqual([
    ["a note"],
    [],
    [],
  ]);
  const { peers } = await peerOf(alice).list({}, CALLER, () => {});
  expect(peers.find(({ name }) => name === "bob")).toMatchObject({ online: false, sessions: [] });
  expect(await states(bob, id)).toEqual(["queued", "stored"]);
  expect(alice.refusals()).toEqual([]);
});

test.each(["a broker that kept it back", "a broker that didn't"])(
  "what was said meanwhile comes when a block is taken back: %s",
  async (which) => {
    const { alice, bob } = await pair();
    if (which !== "a broker that kept it back") {
      alice.toBroker = (frame) => {
        const { type, request } = typeof frame === "string" ? JSON.parse(frame) : { type: "", request: 0 };
        return type === "block" ? [JSON.stringify({ type: "block", request, members: [] })] : [frame];
      };
    }
    block(alice, "bob");
    await isToldOf(alice, bob);
    const ids = [];
    for (const text of ["one", "two", "three"]) ids.push((await bob.send("alice", text)).id);
    await reaches(bob, ids[2] ?? "", "stored");
    // Both links begin anew meanwhile.
    alice.cut();
    bob.cut();
    await bob.until(() => bob.opened().workspace.link() === "online", "bob's link");
    await alice.until(() => alice.opened().workspace.link() === "online", "alice's link");
    unblock(alice, "bob");
    await hears(alice, "three");
    expect(await texts(alice)).toEqual(["one", "two", "three"]);
    await reaches(bob, ids[2] ?? "", "delivered");
    await bob.send("alice", "four");
    await hears(alice, "four");
    await alice.until(() => sees(alice, bob), "bob's face");
    expect([alice.refusals(), alice.opened().workspace.findings()]).toEqual([[], []]);
  },
);

test.each(["keeps", "has lost"])("a block holds at a broker that starts anew and %s it", async (what) => {
  const { mesh, alice, bob } = await pair();
  block(alice, "bob");
  await isToldOf(alice, bob);
  let isTold = false;
  alice.toDevice = (frame) => {
    if (typeof frame === "string" && frame.includes('"type":"blocked"')) isTold = true;
    return [frame];
  };
  await mesh.restartBroker((path) => {
    const database = openSqlite(path, MIGRATIONS);
    if (what === "has lost") database.exec("DELETE FROM blocks");
    database.close();
  });
  await alice.until(() => isTold, "the broker to hear of it");
  const pushed = pushedFrom(alice, bob);
  const { id } = await bob.send("alice", "after the restart");
  await reaches(bob, id, "stored");
  await alice.handlers.message.send({ to: "me", text: "a note" }, CALLER, () => {});
  await hears(alice, "a note");
  expect(pushed.count).toBe(0);
});
