import { expect, test } from "vitest";
import { createMesh, type Member } from "#test/mesh.ts";
import { noDelivery, noPolicing, noSessions } from "../one-workspace.ts";
import { doctor } from "./doctor.ts";

/** What it finds at a member whose broker answers like that, by the checks' names. */
async function found(member: Member, answer: { status: number; date?: number }) {
  const ports = { ...member.peer.ports, fetchJson: async () => ({ body: null, ...answer }) };
  const { checks } = await doctor({ ...member.peer, ports }, noSessions, noDelivery, noPolicing.rules);
  return Object.fromEntries(checks.map(({ name, ok, detail }) => [name, { ok, detail }]));
}

async function alone(): Promise<Member> {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  return alice;
}

test("a clock that differs from the broker's is told, by how much and which way, and counts from a minute on", async () => {
  const alice = await alone();
  const at = async (offsetMs: number) =>
    (await found(alice, { status: 200, date: Date.now() + offsetMs }))["clock acme"];
  expect(await at(0)).toMatchObject({ ok: true });
  expect(await at(-30_000)).toMatchObject({ ok: true, detail: expect.stringMatching(/2\d\.\d s ahead of/) });
  expect(await at(-3_600_000)).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/3599\.\d s ahead of/),
  });
  expect(await at(3_600_000)).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/3600\.\d s behind/),
  });
  expect((await found(alice, { status: 200 }))["clock acme"]).toMatchObject({ ok: null });
});

test("records that were refused are counted", async () => {
  const alice = await alone();
  expect((await found(alice, { status: 200 }))["records acme"]).toEqual({
    ok: true,
    detail: "none missing, none refused",
  });
  alice.opened().workspace.replica.refuse(7, "bad_signature", 0);
  expect((await found(alice, { status: 200 }))["records acme"]).toMatchObject({
    ok: false,
    detail: expect.stringContaining("1 refused"),
  });
});

test("a link that is down is told with what the broker's own page says", async () => {
  const alice = await alone();
  expect((await found(alice, { status: 200 }))["link acme"]).toMatchObject({ ok: true });
  await alice.opened().workspace.stop();
  expect((await found(alice, { status: 503 }))["link acme"]).toMatchObject({
    ok: false,
    detail: expect.stringContaining("answered with 503"),
  });
});
