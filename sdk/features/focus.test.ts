// One person at several machines: what is for them surfaces on one of them.
import { expect, test } from "vitest";
import { isIn } from "#protocol/chain/state.ts";
import { givenTo, posting } from "#sdk/messages/handing-over.ts";
import { createMesh, type Member, type Mesh, ORIGIN } from "#test/mesh.ts";
import { faceOf } from "#test/session-face.ts";

/** What surfaced, in order. */
function shownAt(member: Member): string[] {
  const texts: string[] = [];
  member.peer.listen(({ workspace }, happening) => {
    if (happening.type !== "given") return;
    const row = workspace.replica.db.sql("SELECT text FROM messages WHERE id = ?").get(happening.id);
    texts.push(String(row?.text));
  });
  return texts;
}

async function machine(mesh: Mesh, device: string, workspace: string): Promise<Member> {
  const member = await mesh.person("alice", device);
  await member.peer.add(workspace, ORIGIN, null);
  const chain = () => member.opened().workspace.chain();
  await member.until(() => isIn(chain()?.devices.get(member.peer.account.device.id)), "its device entry");
  return member;
}

const begin = (member: Member, session: string) => {
  member.peer.setSessions([faceOf(session)]);
  member.peer.sessionActive();
};
const end = (member: Member) => member.peer.setSessions([]);
const focusAt = ({ peer, opened }: Member, at: Member) =>
  opened().workspace.replica.db.sql("SELECT dev FROM focus").get()?.dev === at.peer.account.device.id &&
  peer.account.user === at.peer.account.user;
const isTold = ({ opened }: Member) =>
  opened().workspace.replica.db.sql("SELECT 1 FROM focus WHERE handed > 0 AND posted = handed").get() !==
  undefined;
const sees = ({ opened }: Member, other: Member) =>
  opened()
    .workspace.presence.present()
    .some(({ dev, face }) => dev === other.peer.account.device.id && face.sessions !== "");
const has = async (member: Member, text: string) => (await member.inbox()).some((one) => one.text === text);
const isShownAs = async (member: Member, text: string) =>
  (await member.inbox()).find((one) => one.text === text)?.possiblyShown;

async function household() {
  const mesh = await createMesh();
  const [laptop, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(laptop, bob);
  const desk = await machine(mesh, "desk", laptop.opened().workspace.id);
  const shown = { laptop: shownAt(laptop), desk: shownAt(desk) };
  return { mesh, laptop, desk, bob, shown };
}

test("it surfaces on the machine with the focus, is readable on both, and read on one is read on both", async () => {
  const { laptop, desk, bob, shown } = await household();
  begin(laptop, "payments");
  await desk.until(() => focusAt(desk, laptop), "the laptop's focus");
  begin(desk, "billing");
  for (const text of ["one", "two", "three"]) await bob.send("alice", text);
  await bob.send("*", "to all");
  await laptop.until(() => shown.laptop.length === 4, "all four");
  await desk.until(() => has(desk, "to all"), "the last one on the desk");
  expect(shown).toEqual({ laptop: ["one", "two", "three", "to all"], desk: [] });
  await desk.handlers.message.inbox({ markRead: true }, { session: null, ended() {} }, () => {});
  await laptop.until(async () => (await laptop.inbox()).every(({ read }) => read), "the marks");
  expect((await laptop.inbox()).map(({ possiblyShown }) => possiblyShown)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test("it moves with the person: to the machine that is used, after a rest", async () => {
  const { mesh, laptop, desk, bob, shown } = await household();
  begin(laptop, "payments");
  await desk.until(() => focusAt(desk, laptop), "the laptop's focus");
  await bob.send("alice", "at the laptop");
  await laptop.until(() => shown.laptop.length === 1, "the first");
  await desk.until(() => isTold(desk), "that it was shown");
  await desk.until(() => sees(desk, laptop), "the laptop's session");
  begin(desk, "billing");
  mesh.advance(60_000);
  desk.peer.sessionActive();
  await laptop.until(() => focusAt(laptop, desk), "the desk's focus");
  await bob.send("alice", "at the desk");
  await desk.until(() => shown.desk.length === 1, "the second");
  expect(shown).toEqual({ laptop: ["at the laptop"], desk: ["at the desk"] });
  expect(await isShownAs(desk, "at the laptop")).toBe(false);
});

test("when the machine's sessions are gone another one takes over, with what nobody has surfaced", async () => {
  const { laptop, desk, bob, shown } = await household();
  begin(laptop, "payments");
  await desk.until(() => focusAt(desk, laptop), "the laptop's focus");
  end(laptop);
  await bob.send("alice", "to nobody yet");
  await desk.until(() => has(desk, "to nobody yet"), "the message");
  expect(shown.desk).toEqual([]);
  begin(desk, "billing");
  await desk.until(() => shown.desk.length === 1, "the take-over");
  expect(shown).toEqual({ laptop: [], desk: ["to nobody yet"] });
});

test("a machine that vanishes in the middle of a hand-over leaves it marked, and it isn't shown twice", async () => {
  const { mesh, laptop, desk, bob, shown } = await household();
  begin(laptop, "payments");
  await desk.until(() => focusAt(desk, laptop), "the laptop's focus");
  await bob.send("alice", "cut short");
  await laptop.until(() => shown.laptop.length === 1, "the hand-over");
  // It ends while it is at it.
  const { workspace } = laptop.opened();
  posting(laptop.peer, workspace, givenTo(workspace, "payments", 1));
  await laptop.stop();
  begin(desk, "billing");
  await desk.until(() => focusAt(desk, desk), "the take-over");
  expect(await isShownAs(desk, "cut short")).toBe(true);
  await bob.send("alice", "and on");
  await desk.until(() => shown.desk.length === 1, "the next");
  expect(shown.desk).toEqual(["and on"]);
  const again = await mesh.person("alice");
  const shownAgain = shownAt(again);
  begin(again, "payments");
  await again.until(() => has(again, "and on"), "what came meanwhile");
  await bob.send("alice", "still at the desk");
  await desk.until(() => shown.desk.length === 2, "the last");
  expect(shownAgain).toEqual([]);
});

test("two machines that want it at once: each message surfaces once", async () => {
  const { laptop, desk, bob, shown } = await household();
  begin(laptop, "payments");
  begin(desk, "billing");
  const texts = Array.from({ length: 20 }, (_, i) => `message ${i}`);
  for (const text of texts) await bob.send("alice", text);
  await desk.until(() => shown.laptop.length + shown.desk.length >= texts.length, "all of them");
  expect([...shown.laptop, ...shown.desk].toSorted()).toEqual(texts.toSorted());
});
