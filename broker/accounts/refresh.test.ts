import { expect, test } from "vitest";
import { accountHolder, accountWorld, loggedIn, OTHER_ORIGIN, registered } from "#test/account-world.ts";

const DAY = 86_400_000;

test("each refresh gives another token, for 90 days more", async () => {
  const world = await accountWorld();
  const { laptop, tokens } = await registered(world);
  let { refresh } = tokens;
  for (let i = 0; i < 3; i++) {
    await world.time.pass(80 * DAY);
    const renewed = await world.call("refresh", await laptop.refresh(refresh));
    expect(await world.codeOf("devices", {}, { token: renewed.access })).toBe("accepted");
    refresh = renewed.refresh;
  }
  await world.time.pass(91 * DAY);
  expect(await world.codeOf("refresh", await laptop.refresh(refresh))).toBe("logged_out");
});

test("an answer that got lost is harmless: the token that was shown is good until its successor is", async () => {
  const world = await accountWorld();
  const { laptop, tokens } = await registered(world);
  const lost = await world.call("refresh", await laptop.refresh(tokens.refresh));
  const again = await world.call("refresh", await laptop.refresh(tokens.refresh));
  expect(again.refresh).not.toBe(lost.refresh);
  const next = await world.call("refresh", await laptop.refresh(again.refresh));
  expect(await world.codeOf("devices", {}, { token: next.access })).toBe("accepted");
});

test("a token that comes a second time ends its family: the thief and the owner both stop", async () => {
  const world = await accountWorld();
  const { holder, laptop, tokens } = await registered(world);
  const phone = await holder.device("phone");
  const other = await loggedIn(world, holder, phone);
  // A copy of the device, keys and all.
  const thief = await world.call("refresh", await laptop.refresh(tokens.refresh));
  const further = await world.call("refresh", await laptop.refresh(thief.refresh));
  expect(await world.codeOf("refresh", await laptop.refresh(tokens.refresh))).toBe("logged_out");
  expect(await world.codeOf("refresh", await laptop.refresh(further.refresh))).toBe("logged_out");
  for (const { access } of [tokens, thief, further]) {
    expect(await world.codeOf("devices", {}, { token: access })).toBe("bad_token");
  }
  expect(await world.codeOf("devices", {}, { token: other.access })).toBe("accepted");
  const { status, body } = await world.ask("refresh", await laptop.refresh(further.refresh));
  expect([status, body.error?.hint]).toEqual([401, "Run `claudemesh login`."]);
  expect(await world.metrics()).toContain('claudemesh_refreshes_total{outcome="reused"} 1');
});

test("a stolen token is of no use without its device's key, nor for another broker, and ends nothing", async () => {
  const world = await accountWorld();
  const { holder, laptop, tokens } = await registered(world);
  const phone = await holder.device("phone");
  const mallory = await (await accountHolder("mallory")).device("laptop");
  const { refresh } = tokens;
  expect(await world.codeOf("refresh", await phone.refresh(refresh))).toBe("bad_signature");
  expect(await world.codeOf("refresh", await mallory.refresh(refresh))).toBe("bad_signature");
  const elsewhere = await laptop.refresh(refresh, OTHER_ORIGIN);
  expect(await world.codeOf("refresh", elsewhere)).toBe("bad_signature");
  expect(await world.codeOf("refresh", await laptop.refresh(refresh))).toBe("accepted");
});

test("what was never a token is logged out, whatever it looks like", async () => {
  const world = await accountWorld();
  const { laptop, tokens } = await registered(world);
  const unknown = `${"A".repeat(22)}.${tokens.refresh.slice(23)}`;
  for (const refresh of ["", ".", "x", unknown, tokens.access.slice(0, 200)]) {
    expect(await world.codeOf("refresh", await laptop.refresh(refresh))).toBe("logged_out");
  }
  expect(await world.codeOf("refresh", await laptop.refresh(tokens.refresh))).toBe("accepted");
});
