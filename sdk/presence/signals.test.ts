// What is told and asked between devices that are there now.
import { expect, test } from "vitest";
import { EVERYONE } from "#protocol/ids.ts";
import { createMesh, type Frame, type Member, refusedWith } from "#test/mesh.ts";
import { faceOf } from "#test/session-face.ts";

const QUESTION = { kind: "member.sessions" } as const;

async function pair() {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const bob = await mesh.person("bob");
  await mesh.team(alice, bob);
  await sees(alice, bob);
  await sees(bob, alice);
  return { mesh, alice, bob };
}

const dev = (member: Member) => member.peer.account.device.id;
const sees = (one: Member, other: Member) =>
  one.until(
    () =>
      one
        .opened()
        .workspace.presence.present()
        .some((device) => device.dev === dev(other)),
    `${other.name} to be there`,
  );

/** The words that a member is told, as they come. */
function told(member: Member): string[] {
  const words: string[] = [];
  member.peer.listen((_, happening) => {
    if (happening.type === "told") words.push(happening.told.to);
  });
  return words;
}

const isSignal = (frame: Frame) => typeof frame === "string" && frame.startsWith('{"type":"signal"');

test("typing is told to who follows the label, and nowhere kept", async () => {
  const { alice, bob } = await pair();
  const heard = told(bob);
  alice.opened().workspace.signals.tell(EVERYONE, { kind: "typing", to: "*" });
  await bob.until(() => heard.length === 1, "the signal");
  expect(heard).toEqual(["*"]);
  expect(await bob.inbox()).toEqual([]);
});

test("a question is answered by the device that it was for", async () => {
  const { alice, bob } = await pair();
  const session = faceOf("payments", { summary: "at work" });
  bob.peer.setSessions([session]);
  const answer = await alice.opened().workspace.signals.ask(dev(bob), QUESTION, 5000);
  expect(answer).toEqual({ sessions: [session] });
});

test("who has gone is said to be gone, who doesn't answer runs out of time", async () => {
  const { mesh, alice, bob } = await pair();
  const { signals } = alice.opened().workspace;
  bob.toBroker = (frame) => (isSignal(frame) ? [] : [frame]);
  expect(await refusedWith(signals.ask(dev(bob), QUESTION, 50))).toBe("timeout");
  // Cut and not back yet: its lease still runs, so it counts as present.
  bob.toBroker = () => [];
  bob.cut();
  const isGone = async () => (await refusedWith(signals.ask(dev(bob), QUESTION, 2000))) === "offline";
  await alice.until(isGone, "the broker to notice");
  expect(await refusedWith(signals.ask("A".repeat(22), QUESTION, 50))).toBe("offline");
  expect(mesh.logged.filter((line) => line.startsWith("fatal"))).toEqual([]);
});

test("a signal that comes a second time is not heard again", async () => {
  const { alice, bob } = await pair();
  const heard = told(bob);
  bob.toDevice = (frame) => (isSignal(frame) ? [frame, frame] : [frame]);
  const { signals } = alice.opened().workspace;
  signals.tell(EVERYONE, { kind: "typing", to: "first" });
  signals.tell(EVERYONE, { kind: "typing", to: "second" });
  await bob.until(() => heard.includes("second"), "both");
  expect(heard).toEqual(["first", "second"]);
});

test("a signal of another sender, target or content than was signed is not heard", async () => {
  const { alice, bob } = await pair();
  const heard = told(bob);
  const { signals } = alice.opened().workspace;
  const changes: ((text: string) => string)[] = [
    (text) => text.replace(/"number":(\d+)/, (_, n) => `"number":${Number(n) + 100}`),
    (text) => text.replace('"label":"*"', '"label":"chain"'),
    (text) => text.replace(/"sealed":"(.)/, (_, first) => `"sealed":"${first === "A" ? "B" : "A"}`),
  ];
  bob.toDevice = (frame) => {
    const change = typeof frame === "string" && isSignal(frame) ? changes.shift() : undefined;
    return [change && typeof frame === "string" ? change(frame) : frame];
  };
  for (const to of ["a", "b", "c", "honest"]) signals.tell(EVERYONE, { kind: "typing", to });
  await bob.until(() => heard.includes("honest"), "the honest one");
  expect(heard).toEqual(["honest"]);
});

test("what was said to a device's former life is not heard by its next", async () => {
  const { mesh, alice, bob } = await pair();
  let asked = "";
  bob.toDevice = (frame) => {
    if (!isSignal(frame)) return [frame];
    asked = String(frame);
    return [];
  };
  expect(await refusedWith(alice.opened().workspace.signals.ask(dev(bob), QUESTION, 50))).toBe("timeout");
  await bob.stop();
  const again = await mesh.person("bob");
  let answers = 0;
  again.toBroker = (frame) => {
    if (isSignal(frame)) answers++;
    return [frame];
  };
  again.toDevice = (frame) => (isSignal(frame) ? [asked, frame] : [frame]);
  await sees(again, alice);
  await alice.until(async () => {
    return (await refusedWith(alice.opened().workspace.signals.ask(dev(again), QUESTION, 500))) === "nothing";
  }, "bob's next life to answer");
  expect(answers).toBe(1);
});
