import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemRandom } from "#adapters/clock.ts";
import { accountWorld, registered } from "#test/account-world.ts";
import { accountStoreSuite } from "../accounts/store.suite.ts";
import { backUp, markRestored } from "./backup.ts";
import { openSqliteStores } from "./sqlite-stores.ts";

const folder = mkdtempSync(join(tmpdir(), "accounts-"));
let places = 0;
const newPlace = () => join(folder, `broker-${places++}.db`);
afterAll(() => rmSync(folder, { recursive: true }));

accountStoreSuite(
  "SQLite accounts",
  async (place) => {
    const { accounts, store } = openSqliteStores(place);
    return { accounts, close: store.close };
  },
  newPlace,
);

test("a backup carries accounts: devices go on, with tokens that are newer than it, and people log in", async () => {
  const path = newPlace();
  const world = await accountWorld({ path });
  const { holder, laptop, tokens } = await registered(world);
  backUp(path, `${path}.backup`);
  let { refresh } = tokens;
  for (let i = 0; i < 3; i++) refresh = (await world.call("refresh", await laptop.refresh(refresh))).refresh;
  await world.stop();

  markRestored(`${path}.backup`, systemRandom);
  const restored = await accountWorld({ path: `${path}.backup` });
  const renewed = await restored.call("refresh", await laptop.refresh(refresh));
  expect((await restored.call("devices", {}, { token: renewed.access })).devices).toHaveLength(1);
  expect(await restored.codeOf("login", { login: holder.login, key: holder.loginKey })).toBe("accepted");
  expect(await restored.codeOf("refresh", await laptop.refresh(tokens.refresh))).toBe("logged_out");
});
