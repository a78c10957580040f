import { createLocalJWKSet, exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from "jose";
import { expect, test } from "vitest";
import { toBase64url, utf8 } from "#protocol/bytes.ts";
import { type AccountWorld, accountWorld, ORIGIN, OTHER_ORIGIN, registered } from "#test/account-world.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

const part = (value: unknown) => toBase64url(utf8(JSON.stringify(value)));
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
const headOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());
const codeWith = (world: AccountWorld, token: string) => world.codeOf("devices", {}, { token });

test("a ticket is no access token, and an access token no ticket", async () => {
  const world = await accountWorld();
  const { holder, tokens } = await registered(world);
  const { ticket } = await world.call("login", { login: holder.login, key: holder.loginKey });
  expect(await codeWith(world, ticket)).toBe("bad_token");
  const phone = await holder.device("phone");
  const entry = await phone.entry(world.time.clock.now());
  expect(await world.codeOf("enter", entry, { token: tokens.access })).toBe("bad_token");
  expect(await world.codeOf("enter", entry, { token: tokens.refresh })).toBe("bad_token");
  expect(await codeWith(world, tokens.refresh)).toBe("bad_token");
});

test("tokens expire: a ticket after five minutes, an access token after ten", async () => {
  const world = await accountWorld();
  const { holder, tokens } = await registered(world);
  const { ticket } = await world.call("login", { login: holder.login, key: holder.loginKey });
  await world.time.pass(5 * MINUTE);
  const entry = await (await holder.device("phone")).entry(world.time.clock.now());
  expect(await world.codeOf("enter", entry, { token: ticket })).toBe("bad_token");
  expect(await codeWith(world, tokens.access)).toBe("accepted");
  await world.time.pass(5 * MINUTE);
  expect(await codeWith(world, tokens.access)).toBe("bad_token");
});

test("what somebody else made is refused: no algorithm, a shared secret, another key, other claims", async () => {
  const world = await accountWorld();
  const { tokens } = await registered(world);
  const good = claimsOf(tokens.access);
  const head = headOf(tokens.access);
  const { keys } = JSON.parse((await world.fetch("/v1/jwks")).text);
  const foreign = await generateKeyPair("EdDSA", { extractable: true });
  const signed = (claims: object, header = head) =>
    new SignJWT({ ...claims }).setProtectedHeader(header).sign(foreign.privateKey);
  const publicKey = Buffer.from(keys[0].x, "base64url");
  const [, body, signature] = tokens.access.split(".");
  const forged = {
    "alg=none": `${part({ ...head, alg: "none" })}.${body}.`,
    "alg=none with a signature": `${part({ ...head, alg: "none" })}.${body}.${signature}`,
    "HS256 under the public key": await new SignJWT(good)
      .setProtectedHeader({ ...head, alg: "HS256" })
      .sign(publicKey),
    "a foreign key": await signed(good),
    "a foreign key that the token brings along": await signed(good, {
      ...head,
      jwk: await exportJWK(foreign.publicKey),
    }),
    "no kid": await signed(good, { alg: "EdDSA", typ: "JWT" }),
    "other claims": `${part(head)}.${part({ ...good, sub: "A".repeat(22) })}.${signature}`,
    "no signature": `${part(head)}.${body}.`,
    "not a JWT": "x",
    nothing: "",
  };
  for (const [what, token] of Object.entries(forged)) {
    expect([what, await codeWith(world, token)]).toEqual([what, "bad_token"]);
  }
});

test("what this broker's own key signed for somebody else, or another use, is refused", async () => {
  const world = await accountWorld();
  const { tokens } = await registered(world);
  const good = claimsOf(tokens.access);
  const [key] = await world.accounts.signingKeys();
  const { keys } = JSON.parse((await world.fetch("/v1/jwks")).text);
  const secret = await importJWK({ ...keys[0], d: toBase64url(key?.seed ?? new Uint8Array()) }, "EdDSA");
  const sign = (changes: object) =>
    new SignJWT({ ...good, ...changes }).setProtectedHeader(headOf(tokens.access)).sign(secret);
  expect(await codeWith(world, await sign({}))).toBe("accepted");
  const wrong = [
    { aud: OTHER_ORIGIN },
    { iss: OTHER_ORIGIN },
    { exp: good.iat },
    { exp: undefined },
    { sub: undefined },
    { sub: "A".repeat(22) },
    { dev: "A".repeat(22) },
    { sid: "A".repeat(22) },
    { use: "ticket" },
    { use: undefined },
    { nbf: good.exp },
  ];
  for (const changes of wrong) {
    expect([changes, await codeWith(world, await sign(changes))]).toEqual([changes, "bad_token"]);
  }
  expect(await world.codeOf("devices", {}, { token: tokens.access, origin: OTHER_ORIGIN })).toBe("bad_token");
});

test("another key signs after 30 days; what the old one signed lives on until it expires", async () => {
  const world = await accountWorld();
  const { holder, laptop, tokens } = await registered(world);
  await world.time.pass(30 * DAY - MINUTE);
  const old = await world.call("refresh", await laptop.refresh(tokens.refresh));
  await world.time.pass(2 * MINUTE);
  const { ticket } = await world.call("login", { login: holder.login, key: holder.loginKey });
  expect(headOf(ticket).kid).not.toBe(headOf(old.access).kid);
  expect(await codeWith(world, old.access)).toBe("accepted");
  const jwks = async () => JSON.parse((await world.fetch("/v1/jwks")).text);
  const both = await jwks();
  expect(both.keys).toHaveLength(2);
  expect(JSON.stringify(both)).not.toContain('"d"');
  const options = { issuer: ORIGIN, audience: ORIGIN, currentDate: new Date(world.time.clock.now()) };
  const { payload } = await jwtVerify(old.access, createLocalJWKSet(both), options);
  expect(payload).toMatchObject({ sub: holder.user, use: "access", dev: laptop.id });

  await world.time.pass(10 * MINUTE);
  expect((await jwks()).keys).toHaveLength(1);
  await world.broker.retention.run();
  expect((await world.accounts.signingKeys()).map(({ id }) => id)).toEqual([headOf(ticket).kid]);
});

test("many that come at once make one key", async () => {
  const world = await accountWorld();
  await Promise.all(Array.from({ length: 5 }, () => world.fetch("/v1/jwks")));
  expect(await world.accounts.signingKeys()).toHaveLength(1);
});
