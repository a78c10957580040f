// The page behind an invite link: what it shows, that it is inert, and that looking changes nothing.
import { expect, test } from "vitest";
import { openSqlite } from "#adapters/sqlite.ts";
import { MIGRATIONS } from "#broker/adapters/sqlite-migrations.ts";
import { CALLER, createMesh, type Member } from "#test/mesh.ts";

type Options = { uses?: number; role?: "guest"; expiresInMs?: number };

async function invited(options: Options = {}) {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  const invite = await alice.handlers.invite.create(options, CALLER, () => {});
  const look = (path = `/i/${invite.code}`, method = "GET") =>
    mesh.broker().http.fetch(new Request(`http://mesh.test${path}`, { method }));
  return { mesh, alice, invite, look };
}

const idOf = (member: Member) => member.opened().workspace.id;

test("it shows what the broker knows, and how to go on", async () => {
  const { alice, invite, look } = await invited({ uses: 3, role: "guest" });
  const response = await look();
  expect(response.status).toBe(200);
  const page = await response.text();
  const shown = [
    `…${idOf(alice).slice(-8)}`,
    "<dd>guest</dd>",
    "<dt>Members</dt><dd>1</dd>",
    "3 people more",
    `${invite.expiresAt.slice(0, 16).replace("T", " ")} UTC`,
    'claudemesh join "',
    "npm start",
    "transcripts",
  ];
  for (const text of shown) expect(page).toContain(text);
  // Nor does it know the secret, the whole id or a name.
  for (const text of [invite.url.split("#")[1] ?? "", idOf(alice), "alice", "acme"]) {
    expect(page).not.toContain(text);
  }
});

test("it is inert: no script, no link, nothing to load, in nobody's frame, kept nowhere", async () => {
  const { look } = await invited();
  const response = await look();
  const page = await response.text();
  expect(page).not.toMatch(/<script|<a |<img|<link|<form|<iframe|\son\w+=|\sstyle=|href=|src=|url\(/i);
  const style = page.match(/<style>([\s\S]*)<\/style>/)?.[1] ?? "";
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(style))).toString("base64");
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "text/html; charset=UTF-8",
    "content-security-policy": `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
  expect(style).toContain("prefers-color-scheme: dark");
});

test("HEAD has the same status and headers, and no body", async () => {
  const { look } = await invited();
  const [head, get] = [await look(undefined, "HEAD"), await look()];
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect(head.headers.get("content-security-policy")).toBe(get.headers.get("content-security-policy"));
});

test.each(["/i/AAAAAAAA", "/i/a", "/i/%3Cscript%3E", "/i/AAAAAAAA%00", "/i/Ab3dE6gH1"])(
  "where there is no such invite it says so, and repeats nothing: %s",
  async (path) => {
    const { look } = await invited();
    const response = await look(path);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const page = await response.text();
    expect(page).toContain("There is no such invite");
    expect(page).not.toMatch(/script|AAAA|Ab3d/);
  },
);

test("who lets nobody in any more is gone: revoked, expired, used up", async () => {
  const revoked = await invited();
  await revoked.alice.handlers.invite.revoke({ code: revoked.invite.code }, CALLER, () => {});
  const expired = await invited({ expiresInMs: 1000 });
  expired.mesh.advance(1000);
  const used = await invited();
  const bob = await used.mesh.person("bob");
  await bob.handlers.invite.accept({ url: used.invite.url }, CALLER, () => {});
  for (const [{ look }, why] of [
    [revoked, "has been revoked"],
    [expired, "has expired"],
    [used, "has been used up"],
  ] as const) {
    const response = await look();
    expect(response.status).toBe(410);
    expect(await response.text()).toContain(`This invite ${why}`);
  }
});

test("looking changes nothing in the broker's database", async () => {
  const { mesh, look } = await invited();
  const dumps: string[] = [];
  const dump = (path: string) => {
    const database = openSqlite(path, MIGRATIONS);
    const tables = database.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
    const rows = tables.map(({ name }) => [name, database.sql(`SELECT * FROM ${String(name)}`).all()]);
    dumps.push(JSON.stringify(rows));
    database.close();
  };
  await mesh.restartBroker(dump);
  for (const path of [undefined, "/i/AAAAAAAA"]) {
    for (const method of ["GET", "HEAD"]) await (await look(path, method)).text();
  }
  await mesh.restartBroker(dump);
  expect(dumps[1]).toBe(dumps[0]);
});
