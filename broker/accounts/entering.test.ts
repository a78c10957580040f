import { expect, test } from "vitest";
import { accountHolder, accountWorld, loggedIn, OTHER_ORIGIN, registered } from "#test/account-world.ts";

const MINUTE = 60_000;
const FOREIGN = "A".repeat(86);

test("who registers is in at once, and finds the account again by passphrase or recovery code", async () => {
  const world = await accountWorld();
  const { holder, laptop, tokens } = await registered(world);
  expect(tokens.expiresAt - world.time.clock.now()).toBe(10 * MINUTE);
  const { devices } = await world.call("devices", {}, { token: tokens.access });
  expect(devices).toMatchObject([{ id: laptop.id, entry: { device: laptop.device }, revoked: false }]);
  const { login, loginKey, recoveryKey, user } = holder;
  expect(await world.call("login", { login, key: loginKey })).toMatchObject({
    user,
    vault: "dmF1bHQ",
    contents: "Y29udGVudHM",
  });
  expect(await world.call("login", { login, key: recoveryKey })).toMatchObject({
    user,
    vault: "cmVjb3Zlcnk",
  });
});

test("a login or a root that is there already gets one answer", async () => {
  const world = await accountWorld();
  const { holder } = await registered(world);
  const now = world.time.clock.now();
  const bob = await accountHolder("bob");
  const sameLogin = { ...bob, login: holder.login };
  const sameRoot = { ...holder, login: bob.login };
  const answers = await Promise.all([
    world.ask("register", await sameLogin.registration(await (await bob.device("laptop")).entry(now))),
    world.ask("register", await sameRoot.registration(await (await holder.device("other")).entry(now))),
  ]);
  expect(answers.map(({ status, text }) => [status, text])).toEqual([
    [409, answers[0]?.text],
    [409, answers[0]?.text],
  ]);
  expect(answers[0]?.body.error?.code).toBe("account_exists");
});

test("a registration needs the root's and the device's signature, for this broker and for now", async () => {
  const world = await accountWorld();
  const holder = await accountHolder("alice");
  const laptop = await holder.device("laptop");
  const now = world.time.clock.now();
  const good = await holder.registration(await laptop.entry(now));
  const codes = {
    root: await world.codeOf("register", { ...good, proof: FOREIGN }),
    vault: await world.codeOf("register", { ...good, vault: "b3RoZXI" }),
    device: await world.codeOf("register", { ...good, entry: { ...good.entry, proof: FOREIGN } }),
    certificate: await world.codeOf("register", {
      ...good,
      entry: { ...good.entry, device: { ...good.entry.device, certificate: FOREIGN } },
    }),
    origin: await world.codeOf("register", good, { origin: OTHER_ORIGIN }),
    early: await world.codeOf("register", await holder.registration(await laptop.entry(now - 11 * MINUTE))),
    late: await world.codeOf("register", await holder.registration(await laptop.entry(now + 11 * MINUTE))),
  };
  expect(codes).toEqual({
    root: "bad_signature",
    vault: "bad_signature",
    device: "bad_signature",
    certificate: "bad_signature",
    origin: "bad_signature",
    early: "bad_data",
    late: "bad_data",
  });
  expect(await world.codeOf("register", good)).toBe("accepted");
});

test("an unknown e-mail, a wrong passphrase and a wrong recovery code get one answer for the same work", async () => {
  const asked: string[] = [];
  const world = await accountWorld({
    wrap: (accounts) => ({
      ...accounts,
      loginHashes(login) {
        asked.push("loginHashes");
        return accounts.loginHashes(login);
      },
      account(user) {
        asked.push("account");
        return accounts.account(user);
      },
    }),
  });
  const { holder } = await registered(world);
  const stranger = await accountHolder("nobody");
  const key = stranger.loginKey;
  const known = await world.ask("login", { login: holder.login, key }, { address: "192.0.2.8" });
  const knownWork = asked.splice(0);
  const unknown = await world.ask("login", { login: stranger.login, key }, { address: "192.0.2.9" });
  expect([unknown.status, unknown.text]).toEqual([known.status, known.text]);
  expect([...unknown.headers]).toEqual([...known.headers]);
  expect(asked).toEqual(knownWork);
  expect([known.status, known.body.error?.code]).toEqual([401, "wrong_passphrase"]);
});

test("a second device comes in with a ticket, and with a new one again: then its old tokens end", async () => {
  const world = await accountWorld();
  const { holder } = await registered(world);
  const phone = await holder.device("phone");
  const first = await loggedIn(world, holder, phone);
  expect(await world.codeOf("devices", {}, { token: first.access })).toBe("accepted");
  const second = await loggedIn(world, holder, phone);
  expect(await world.codeOf("devices", {}, { token: first.access })).toBe("bad_token");
  expect(await world.codeOf("refresh", await phone.refresh(first.refresh))).toBe("logged_out");
  const { devices } = await world.call("devices", {}, { token: second.access });
  expect(devices).toHaveLength(2);
});

test("a paired device comes in by who vouches for it, once, and nobody else does without a ticket", async () => {
  const world = await accountWorld();
  const { holder, laptop } = await registered(world);
  const now = world.time.clock.now();
  const phone = await holder.device("phone", laptop);
  const stranger = await holder.device("stranger");
  const ofStranger = await holder.device("stranger's", stranger);
  const bob = await accountHolder("bob");
  const foreign = await bob.device("phone");
  expect(await world.codeOf("enter", await stranger.entry(now))).toBe("bad_token");
  expect(await world.codeOf("enter", await ofStranger.entry(now))).toBe("not_allowed");
  const { proof } = await phone.entry(now);
  expect(await world.codeOf("enter", { ...(await foreign.entry(now)), proof })).toBe("bad_token");
  expect(await world.codeOf("enter", await phone.entry(now))).toBe("accepted");
  expect(await world.codeOf("enter", await phone.entry(now))).toBe("not_allowed");
  const watch = await holder.device("watch", phone);
  expect(await world.codeOf("enter", await watch.entry(now))).toBe("accepted");
});

test("who has logged out is out at once", async () => {
  const world = await accountWorld();
  const { laptop, tokens, how } = await registered(world);
  expect(await world.codeOf("logout", {}, how)).toBe("accepted");
  expect(await world.codeOf("devices", {}, how)).toBe("bad_token");
  expect(await world.codeOf("refresh", await laptop.refresh(tokens.refresh))).toBe("logged_out");
});
