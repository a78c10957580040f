// A broker that keeps back the last of what somebody said: the sender's own face tells.
import { expect, test } from "vitest";
import { decodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { decodeRecord } from "#protocol/record.ts";
import { createWorld, type Frame } from "./world.ts";

function isToEveryone(frame: Frame): boolean {
  if (typeof frame === "string") return false;
  const { outer, record } = decodeRecordFrame(frame);
  const { to, n } = decodeRecord(record).header;
  return outer.type === "push" && to === EVERYONE && n > 0;
}

test("a cut end shows by the counters in the sender's presence", async () => {
  const world = await createWorld(7);
  try {
    const alice = await world.person("alice");
    const bob = await world.person("bob");
    await world.ask(alice.client().ask("workspace.create", { name: "acme" }));
    const { url } = await world.ask(alice.client().ask("invite.create", { workspace: "acme" }));
    await world.ask(bob.client().ask("invite.accept", { url }));
    const say = (text: string) =>
      world.ask(alice.client().ask("message.send", { to: "*", text, workspace: "acme", wait: "stored" }));
    const texts = async () => {
      const { messages } = await bob.client().ask("message.inbox", { workspace: "acme" });
      return (messages as { text: string }[]).map(({ text }) => text);
    };
    await say("one");
    await world.until(async () => (await texts()).length === 1, "the first");
    bob.misses = isToEveryone;
    await say("two");
    await say("three");
    const findings = async () => {
      const { workspaces } = await bob.client().ask("audit.show", { workspace: "acme" });
      return (workspaces as { findings: unknown[] }[]).flatMap((one) => one.findings);
    };
    await world.until(async () => (await findings()).length > 0, "it to be noticed", 120_000);
    expect(await world.ask(texts())).toEqual(["one"]);
    expect(await world.ask(findings())).toMatchObject([
      {
        type: "withheld",
        member: "alice",
        label: "*",
        count: 2,
        detail: expect.stringContaining("numbers 2 to 3"),
      },
    ]);
    const { checks } = await world.ask(bob.client().ask("daemon.doctor", {}));
    const found = (checks as { name: string; ok: boolean; detail: string }[]).find(
      ({ name }) => name === "records acme",
    );
    expect(found).toMatchObject({ ok: false, detail: "2 withheld" });
  } finally {
    await world.end();
  }
});
