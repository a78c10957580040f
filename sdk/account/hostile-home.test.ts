// A home broker that lies: each lie is noticed under its own name, and nothing of it is taken in.
import { expect, test } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { openSqlite } from "#adapters/sqlite.ts";
import { MIGRATIONS } from "#broker/adapters/sqlite-migrations.ts";
import { contentsKey, deviceSealingSecret, seedWrapKey } from "#protocol/account/keys.ts";
import { newSeedInput, sealSeed } from "#protocol/account/seed-box.ts";
import { sealContents, sealRoot } from "#protocol/account/vault.ts";
import { toBase64url, utf8 } from "#protocol/bytes.ts";
import { idOf, pairKey } from "#protocol/derive.ts";
import { codeOfAsync } from "#test/code-of.ts";
import {
  CALLER,
  createMesh,
  type HttpAnswer,
  type Member,
  type Mesh,
  ORIGIN,
  type OverHttp,
} from "#test/mesh.ts";
import { accountHandlers } from "../features/account.ts";
import { type Identity, keepIdentity, readIdentity } from "./identity.ts";
import { keysOfPassphrase } from "./login.ts";

const PASSPHRASE = "correct horse battery staple";
const ALICE = { email: "alice@example.org", passphrase: PASSPHRASE };
const BOB = { email: "bob@example.org", passphrase: PASSPHRASE };

const handlersOf = ({ peer }: Member) => accountHandlers(peer, { given: ORIGIN, embedded: null });

/** From then on only what a test asks for is asked for. */
async function register(member: Member, who: typeof ALICE): Promise<void> {
  await handlersOf(member).register(who, CALLER, () => {});
  member.peer.sync.stop();
}

async function login(member: Member, who = ALICE): Promise<void> {
  await handlersOf(member).login(who, CALLER, () => {});
  member.peer.sync.stop();
}

/** Alice's laptop, and a machine that isn't hers yet. */
async function household() {
  const mesh = await createMesh();
  const laptop = await mesh.person("alice");
  await register(laptop, ALICE);
  return { mesh, laptop, desktop: await mesh.person("desktop") };
}

async function bobsUser(mesh: Mesh): Promise<string> {
  return (await mesh.person("bob")).peer.account.user;
}

const honest: OverHttp = (_url, _params, ask) => ask();

/** Changes what is answered to one call. */
function lie(name: string, change: (body: object) => unknown, status = 200): OverHttp {
  return async (url, _, ask) => {
    const { body } = await ask();
    return url.endsWith(`/${name}`) ? { status, body: change({ ...Object(body) }) } : { status: 200, body };
  };
}

function identityOf({ peer }: Member): Identity {
  const identity = readIdentity(peer.ports.keychain);
  if (!identity) throw new Error("nobody's machine");
  return identity;
}

/** The code by which it fails; it must leave keys, tokens and document as they were. */
async function refused(member: Member, work: () => Promise<unknown>): Promise<string> {
  const { keychain } = member.peer.ports;
  const state = () => ({
    identity: identityOf(member),
    refresh: keychain.get("refresh"),
    document: member.peer.person.document.entries(),
  });
  const before = state();
  const code = await codeOfAsync(work());
  expect(state()).toEqual(before);
  return code;
}

/** As who issues tokens would make one. */
function tokenOf(claims: unknown): string {
  return `e30.${toBase64url(utf8(JSON.stringify(claims)))}.AA`;
}

test("another's vault opens with nothing that alice has", async () => {
  const { mesh, desktop } = await household();
  const bob = await mesh.person("bob");
  await register(bob, BOB);
  let bobs: unknown;
  bob.overHttp = async (url, _, ask) => {
    const answer = await ask();
    if (url.endsWith("/login")) bobs = answer.body;
    return answer;
  };
  await login(bob, BOB);
  desktop.overHttp = lie("login", () => bobs);
  expect(await refused(desktop, () => login(desktop))).toBe("bad_seal");
});

test("a vault that is said to be somebody else's is refused", async () => {
  const { mesh, desktop } = await household();
  const user = await bobsUser(mesh);
  desktop.overHttp = lie("login", (body) => ({ ...body, user }));
  expect(await refused(desktop, () => login(desktop))).toBe("wrong_author");
});

test("a machine that is alice's doesn't become another's, though the vault opens", async () => {
  const { laptop } = await household();
  const name = { origin: ORIGIN, email: ALICE.email };
  const keys = await keysOfPassphrase(laptop.peer.ports, name, PASSPHRASE);
  const root = systemRandom(32);
  const user = idOf(await nodeCurves.signingPublicKey(root));
  const vault = sealRoot(keys.vault, root, systemRandom);
  const { seeds } = identityOf(laptop);
  const contents = sealContents(contentsKey(root), { type: "contents", seeds, formerly: [] }, systemRandom);
  laptop.overHttp = lie("login", (body) => ({ ...body, user, vault, contents }));
  expect(await refused(laptop, () => login(laptop))).toBe("wrong_author");
});

test("older contents of the vault take no seed away", async () => {
  const { laptop } = await household();
  const { seeds, ...rest } = identityOf(laptop);
  const renewed = [...seeds, { number: 1, secret: toBase64url(systemRandom(32)) }];
  keepIdentity(laptop.peer.ports.keychain, { ...rest, seeds: renewed });
  expect(await refused(laptop, () => login(laptop))).toBe("rolled_back");
});

test.each([
  ["for somebody else", async (mesh: Mesh) => tokenOf({ sub: await bobsUser(mesh) })],
  ["for nobody", async () => tokenOf({})],
  ["of null", async () => tokenOf(null)],
  ["without parts", async () => "x"],
  ["that is empty", async () => ""],
])("a token %s is refused, at a login and later", async (_, make) => {
  const { mesh, laptop, desktop } = await household();
  const access = await make(mesh);
  desktop.overHttp = lie("enter", (body) => ({ ...body, access }));
  expect(await refused(desktop, () => login(desktop))).toBe("bad_token");
  laptop.overHttp = lie("refresh", (body) => ({ ...body, access }));
  // The one it has expires within minutes.
  mesh.advance(600_000);
  expect(await refused(laptop, () => laptop.peer.sync.settle())).toBe("bad_token");
});

test("an account document of before is noticed, and what is newer here stays", async () => {
  const { laptop } = await household();
  const { person, account, sync } = laptop.peer;
  const read = async () => {
    const given: { status: number; body: unknown }[] = [];
    laptop.overHttp = async (url, _, ask) => {
      const answer = await ask();
      if (url.endsWith("/document")) given.push(answer);
      return answer;
    };
    await sync.settle();
    return given[0];
  };
  const old = await read();
  person.document.set("device", account.device.id, { name: "the newer name" });
  await sync.settle();
  expect(sync.trouble()).toBeNull();
  laptop.overHttp = async (url, _, ask) => (url.endsWith("/document") && old ? old : ask());
  await sync.settle();
  expect(sync.trouble()?.code).toBe("rolled_back");
  expect(person.document.get("device", account.device.id)?.name).toBe("the newer name");
  // Good behaviour afterwards doesn't hide it.
  laptop.overHttp = honest;
  await sync.settle();
  expect(sync.trouble()?.code).toBe("rolled_back");
});

test("two machines that were shown different documents of one version notice it, and lose nothing", async () => {
  const { laptop, desktop } = await household();
  await login(desktop);
  await laptop.peer.sync.settle();
  const [here, there] = [laptop, desktop].map(({ peer }) => peer.account.device.id);
  // What the laptop writes is acknowledged, and shown to nobody.
  laptop.overHttp = async (url, params, ask) =>
    url.endsWith("/keepDocument") ? { status: 200, body: { version: Object(params).version } } : ask();
  laptop.peer.person.document.set("device", here ?? "", { name: "the laptop" });
  await laptop.peer.sync.settle();
  desktop.peer.person.document.set("device", there ?? "", { name: "the desktop" });
  await desktop.peer.sync.settle();
  expect(laptop.peer.sync.trouble()).toBeNull();

  laptop.overHttp = honest;
  await laptop.peer.sync.settle();
  expect(laptop.peer.sync.trouble()?.code).toBe("rolled_back");
  await desktop.peer.sync.settle();
  for (const { peer } of [laptop, desktop]) {
    const names = [here, there].map((id) => peer.person.document.get("device", id)?.name);
    expect(names).toEqual(["the laptop", "the desktop"]);
  }
});

test("a new seed that the root didn't sign, or that is sealed to nobody here, is refused", async () => {
  const { laptop } = await household();
  const { user, device, rootKey } = laptop.peer.account;
  // Whoever keeps the account knows the device's public key, and can seal for it.
  const own = systemRandom(32);
  const sealing = toBase64url(await nodeCurves.sealingPublicKey(own));
  const forgedFor = async (secret: Uint8Array) => {
    const pair = await pairKey(nodeCurves, own, await nodeCurves.sealingPublicKey(secret));
    const seed = { user, number: 1, secret: systemRandom(32) };
    const signature = await nodeCurves.sign(own, newSeedInput(seed));
    const box = sealSeed(seedWrapKey(pair, user, 1), seed, signature, systemRandom);
    return { number: 1, by: idOf(rootKey), sealing, box };
  };
  const answered = async (seed: unknown) => {
    laptop.overHttp = async (url, _, ask) => {
      if (url.endsWith("/seeds")) return { status: 200, body: { seeds: [seed] } };
      // What would be sealed under it makes this machine ask for it.
      return url.endsWith("/document") ? { status: 200, body: { version: 99, box: "AAAA" } } : ask();
    };
    return refused(laptop, () => laptop.peer.sync.settle());
  };
  expect(await answered(await forgedFor(deviceSealingSecret(device.secret)))).toBe("bad_signature");
  expect(await answered(await forgedFor(systemRandom(32)))).toBe("bad_seal");
  expect(await answered({ number: 1, by: "?", sealing, box: "" })).toBe("version_skew");
});

test("an account document that nobody of the account has sealed is refused", async () => {
  const { laptop } = await household();
  laptop.overHttp = lie("document", () => ({ version: 99, box: "AAAA" }));
  expect(await refused(laptop, () => laptop.peer.sync.settle())).toBe("bad_seal");
});

test.each([
  ["nothing", null],
  ["a text", "junk"],
  ["a list", []],
  ["fields of other types", { ticket: 1, user: {}, vault: null, contents: [] }],
  ["a field more", { ticket: "x", user: "A".repeat(22), vault: "", contents: "", more: 1 }],
])("an answer of %s is refused as another version's", async (_, body) => {
  const { desktop } = await household();
  desktop.overHttp = lie("login", () => body);
  expect(await refused(desktop, () => login(desktop))).toBe("version_skew");
});

test("an answer with more than fits is refused", async () => {
  const { desktop } = await household();
  desktop.overHttp = lie("login", (body) => ({ ...body, vault: "A".repeat(300 * 1024) }));
  expect(await refused(desktop, () => login(desktop))).toBe("version_skew");
});

test.each([
  ["no error that we know", { error: "no" }, "offline"],
  ["an error of its own making", { error: { code: "__proto__", message: "x", hint: "" } }, "unexpected"],
  ["a novel", { error: { code: "conflict", message: "x".repeat(501), hint: "" } }, "offline"],
])("a refusal with %s is told as what it is", async (_, body, code) => {
  const { desktop } = await household();
  desktop.overHttp = lie("login", () => body, 400);
  expect(await refused(desktop, () => login(desktop))).toBe(code);
});

test("a refusal's words can't write to the terminal", async () => {
  const { desktop } = await household();
  const text = "\u001b]0;owned\u0007\u202eback\nnext";
  desktop.overHttp = lie("login", () => ({ error: { code: "conflict", message: text, hint: text } }), 409);
  const error = await login(desktop).catch((error) => error);
  expect([error.message, error.hint]).toEqual([" ]0;owned  back next", " ]0;owned  back next"]);
});

test("a home that answers every poll at once is not asked without end", async () => {
  const { laptop } = await household();
  let asked = 0;
  let kept: HttpAnswer = { status: 503, body: null };
  const third = Promise.withResolvers<number>();
  laptop.overHttp = async (url, params, ask) => {
    if (!url.endsWith("/document")) return ask();
    if (Object(params).waitMs === 0) kept = await ask();
    else if (++asked === 3) third.resolve(performance.now());
    return kept;
  };
  const startedAt = performance.now();
  laptop.peer.sync.start();
  // After two pauses of half a second; a timer may be a moment early.
  expect((await third.promise) - startedAt).toBeGreaterThan(950);
  expect(laptop.peer.sync.trouble()).toBeNull();
});

test("a home that signs with another key is no liar, and nobody has to log in again", async () => {
  const { mesh, laptop } = await household();
  await laptop.peer.sync.settle();
  await mesh.restartBroker((path) => {
    const database = openSqlite(path, MIGRATIONS);
    database.exec("DELETE FROM signing_keys");
    database.close();
  });
  await laptop.peer.sync.settle();
  expect(laptop.peer.sync.trouble()).toBeNull();
});

test("an answer that was overtaken on its way is no lie", async () => {
  const { laptop, desktop } = await household();
  await login(desktop);
  await laptop.peer.sync.settle();
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const next = Promise.withResolvers<void>();
  let polls = 0;
  laptop.overHttp = async (url, params, ask) => {
    if (!url.endsWith("/document") || Object(params).waitMs === 0) return ask();
    if (++polls > 1) {
      next.resolve();
      return ask();
    }
    const answer = await ask();
    held.resolve();
    await released.promise;
    return answer;
  };
  laptop.peer.sync.start();
  desktop.peer.person.document.set("device", desktop.peer.account.device.id, { name: "the desktop" });
  await desktop.peer.sync.settle();
  await held.promise;
  laptop.peer.person.document.set("device", laptop.peer.account.device.id, { name: "the laptop" });
  await laptop.peer.sync.settle();
  released.resolve();
  await next.promise;
  expect(laptop.peer.sync.trouble()).toBeNull();
});

test("what couldn't be written is written soon after, not when the poll is over", async () => {
  const { laptop } = await household();
  await laptop.peer.sync.settle();
  const polls = Promise.withResolvers<void>();
  const written = Promise.withResolvers<void>();
  let refusals = 0;
  laptop.overHttp = async (url, params, ask) => {
    if (url.endsWith("/document") && Object(params).waitMs > 0) polls.resolve();
    if (!url.endsWith("/keepDocument")) return ask();
    if (refusals++ === 0) return { status: 503, body: { error: { code: "busy", message: "", hint: "" } } };
    written.resolve();
    return ask();
  };
  laptop.peer.sync.start();
  await polls.promise;
  laptop.peer.person.document.set("device", laptop.peer.account.device.id, { name: "the laptop" });
  await written.promise;
  expect(refusals).toBe(2);
});
