import { expect, test } from "vitest";
import { createWorld } from "./world.ts";

async function team() {
  const world = createWorld();
  const broker = await world.broker();
  const alice = await world.person("alice", broker);
  const bob = await world.person("bob", broker);
  await world.team(alice, bob);
  return { world, broker, alice, bob };
}

test("addresses, texts and names that can't be: a clear error each, the right code, and nothing was sent", async () => {
  const { alice, bob } = await team();
  expect(await alice.fails(5, ["send", "bbo", "hi"])).toMatchObject({
    code: "unknown_address",
    hint: "Did you mean bob?",
  });
  expect(await alice.fails(5, ["send", "bob/nope", "hi"])).toMatchObject({ code: "unknown_address" });
  expect(await alice.fails(5, ["send", "#deplois", "hi"])).toMatchObject({ code: "unknown_topic" });
  expect(await alice.fails(5, ["send", "bob", "hi", "--workspace", "acmee"])).toMatchObject({
    code: "unknown_workspace",
    hint: "Did you mean acme?",
  });
  expect(await alice.fails(9, ["send", "bob", ""])).toMatchObject({ code: "empty_text" });
  expect(await alice.fails(9, ["send", "bob", "-"], { stdin: "  \n" })).toMatchObject({ code: "empty_text" });
  expect(await alice.fails(9, ["send", "bob", "-"], { stdin: "x".repeat(10_000_000) })).toMatchObject({
    code: "too_large",
  });
  expect(
    await alice.fails(9, ["send", "bob", "-"], { stdin: Uint8Array.of(0x68, 0xff, 0x69) }),
  ).toMatchObject({
    code: "invalid_utf8",
  });
  expect(await alice.fails(5, ["message", "status", "deadbeef"])).toMatchObject({ code: "not_found" });
  expect(await alice.fails(5, ["topic", "join", "nowhere"])).toMatchObject({ code: "unknown_topic" });
  expect(await alice.fails(9, ["topic", "create", "No Spaces"])).toMatchObject({ code: "bad_data" });
  expect(await alice.fails(6, ["workspace", "create", "acme"])).toMatchObject({ code: "conflict" });
  expect((await bob.ok("inbox")).messages).toEqual([]);
  expect((await alice.ok("status")).workspaces.map(({ outbox }: { outbox: number }) => outbox)).toEqual([
    0, 0,
  ]);
});

test("a text of exactly 256 KiB arrives as it is", async () => {
  const { alice, bob } = await team();
  const text = "ä\u0001"
    .repeat(Math.floor((256 * 1024) / 3))
    .padEnd(256 * 1024 - Math.floor((256 * 1024) / 3), "z");
  const sent = await alice.run(["send", "bob", "-", "--wait", "delivered", "--json"], { stdin: text });
  expect(sent.stderr).toBe("");
  expect((await bob.ok("inbox")).messages[0].text).toBe(text);
});

test("usage: unknown verbs and flags say what was meant", async () => {
  const { alice } = await team();
  expect(await alice.fails(2, ["snd", "bob", "hi"])).toMatchObject({
    code: "usage",
    hint: expect.stringContaining("send"),
  });
  expect(await alice.fails(2, ["topic", "crate", "x"])).toMatchObject({
    hint: expect.stringContaining("topic create"),
  });
  expect(await alice.fails(2, ["inbox", "--bogus"])).toMatchObject({ code: "usage" });
  expect(await alice.fails(2, ["send"])).toMatchObject({ code: "usage" });
  expect(await alice.fails(2, ["inbox", "--limit", "many"])).toMatchObject({ code: "usage" });
  expect(await alice.fails(2, ["send", "bob", "hi", "--wait", "forever"])).toMatchObject({ code: "usage" });
  expect(await alice.fails(2, ["inbox", "--timeout", "soon"])).toMatchObject({ code: "usage" });
});

test("links that can't be: broken, unknown, expired, used up, made on another head", async () => {
  const { world, broker, alice } = await team();
  const eve = await world.person("eve", broker);
  const once = (await alice.ok("invite", "create", "--workspace", "acme")).url;
  const withFragment = (change: (fragment: string) => string) => {
    const [path, fragment = ""] = once.split("#");
    return `${path}#${change(fragment)}`;
  };
  expect(await eve.fails(9, ["join", once.slice(0, -4)])).toMatchObject({ code: "invite_malformed" });
  expect(await eve.fails(9, ["join", once.split("#")[0]])).toMatchObject({ code: "invite_malformed" });
  expect(await eve.fails(5, ["join", once.replace(/\/i\/\w+/, "/i/AAAAAAAA")])).toMatchObject({
    code: "invite_not_found",
  });
  const otherHead = withFragment((fragment) => `${fragment.slice(0, 30)}AAAA${fragment.slice(34)}`);
  expect(await eve.fails(9, ["join", otherHead])).toMatchObject({ code: "invite_wrong_head" });
  const otherSecret = withFragment((fragment) => `AAAA${fragment.slice(4)}`);
  expect(await eve.fails(9, ["join", otherSecret])).toMatchObject({ code: "invite_bad_signature" });
  const expired = (await alice.ok("invite", "create", "--workspace", "acme", "--expires", "1ms")).url;
  expect(await eve.fails(7, ["join", expired])).toMatchObject({ code: "invite_expired" });
  // None of the attempts has left anything behind, so the good link still works, once.
  expect(await eve.ok("join", once)).toMatchObject({ slug: "acme" });
  const mallory = await world.person("mallory", broker);
  expect(await mallory.fails(7, ["join", once])).toMatchObject({ code: "invite_exhausted" });
  expect((await mallory.ok("workspace", "list")).workspaces).toHaveLength(1);
});

test("a wait that isn't reached ends with code 8, and the message goes on by itself", async () => {
  const { alice, bob } = await team();
  await bob.ok("down");
  const error = await alice.fails(8, ["send", "bob", "later", "--wait", "delivered", "--timeout", "300ms"]);
  expect(error).toMatchObject({ code: "timeout" });
  await bob.ok("up");
  const { messages } = await bob.ok("inbox");
  expect(messages.length === 0 || messages[0].text === "later").toBe(true);
});
