import { expect, test } from "vitest";
import { CALLER, createMesh } from "#test/mesh.ts";
import { rowsLike } from "./conversation.ts";
import { keepWords } from "./words.ts";

test("what was just said is found, before anything has indexed its words", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  await alice.send("me", "the payments are green");
  const { messages } = await alice.handlers.message.search({ query: "paym gre" }, CALLER, () => {});
  expect(messages.map(({ text }) => text)).toEqual(["the payments are green"]);
});

test("words are indexed a chunk at a time, each message once", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  const { db } = alice.opened().workspace.replica;
  await Promise.all(Array.from({ length: 250 }, (_, i) => alice.send("me", `word${i} common`)));
  expect([keepWords(db), keepWords(db), keepWords(db)]).toEqual([true, true, false]);
  expect(rowsLike(db, "common", 1000)).toHaveLength(250);
  expect(rowsLike(db, "word249", 10)).toHaveLength(1);
});
