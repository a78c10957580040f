/** What every store of accounts has to do, whatever it is made of. `open` with the same place again finds what was kept. */
import { beforeAll, describe, expect, test } from "vitest";
import { toBase64url } from "#protocol/bytes.ts";
import type { CertifiedDevice } from "#protocol/certificate.ts";
import { deviceLine } from "#protocol/certificate.ts";
import { type AccountHolder, accountHolder } from "#test/account-world.ts";
import { fixedBytes } from "#test/person.ts";
import type { AccountStore, Entry, NewAccount, Rotation } from "./store.ts";

export type OpenAccounts = { accounts: AccountStore; close(): Promise<void> };

const ANYBODY = { onlyVouched: false, most: 9 };
const VOUCHED = { onlyVouched: true, most: 9 };
const hash = (name: string) => fixedBytes(name);
const sealing = (family: string) => toBase64url(fixedBytes(`sealing ${family}`));

export function accountStoreSuite(
  name: string,
  open: (place: string) => Promise<OpenAccounts>,
  newPlace: () => string,
): void {
  describe(name, () => {
    let alice: AccountHolder;
    let laptop: CertifiedDevice;
    let phone: CertifiedDevice;
    let watch: CertifiedDevice;
    beforeAll(async () => {
      alice = await accountHolder("alice");
      const first = await alice.device("laptop");
      const second = await alice.device("phone", first);
      laptop = first.device;
      phone = second.device;
      watch = (await alice.device("watch", second)).device;
    });

    const idOfDevice = (device: CertifiedDevice) => deviceLine(device)[0] ?? "";
    const account = (changes: Partial<NewAccount> = {}): NewAccount => ({
      user: alice.user,
      login: "login",
      root: alice.root,
      hashes: { passphrase: hash("passphrase"), recovery: hash("recovery") },
      vault: "vault",
      recovery: "recovery",
      contents: "contents",
      seedNumber: 0,
      ...changes,
    });
    const entry = (device: CertifiedDevice, family: string, at = 1000): Entry => ({
      user: alice.user,
      entry: { device, sealing: sealing(family), at, proof: toBase64url(fixedBytes(`proof ${family}`, 64)) },
      at,
      family: { id: family, current: hash(`${family} 1`), expiresAt: at + 1000 },
    });
    const rotation = (changes: Partial<Rotation> = {}): Rotation => ({
      user: alice.user,
      by: idOfDevice(laptop),
      number: 1,
      contents: "new contents",
      document: { version: 1, box: "document" },
      seeds: [],
      revoke: [],
      at: 2000,
      ...changes,
    });
    const opened = async (place = newPlace()) => {
      const { accounts, close } = await open(place);
      await accounts.register(account(), entry(laptop, "laptop's"));
      return { accounts, close };
    };

    test("keeps what was registered, and finds it when opened again", async () => {
      const place = newPlace();
      const first = await opened(place);
      await first.close();
      const { accounts, close } = await open(place);
      const { login, hashes, ...kept } = account();
      expect(await accounts.account(alice.user)).toEqual(kept);
      expect(await accounts.loginHashes(login)).toEqual({ user: alice.user, ...hashes });
      expect(await accounts.loginHashes("another")).toBeNull();
      expect(await accounts.account("another")).toBeNull();
      const seen = { enteredAt: 1000, lastSeenAt: 1000, revoked: false };
      const device = { id: idOfDevice(laptop), entry: entry(laptop, "laptop's").entry, ...seen };
      expect(await accounts.devices(alice.user)).toEqual([device]);
      expect(await accounts.device(alice.user, device.id)).toEqual(device);
      expect(await accounts.usersOf(device.id)).toEqual([alice.user]);
      await close();
    });

    test("one user and one login are registered once, and a refusal leaves nothing behind", async () => {
      const { accounts, close } = await opened();
      expect(await accounts.register(account({ login: "other" }), entry(phone, "f"))).toBe(false);
      expect(await accounts.register(account({ user: "other" }), entry(phone, "f"))).toBe(false);
      expect(await accounts.loginHashes("other")).toBeNull();
      expect(await accounts.family("f")).toBeNull();
      await close();
    });

    test("a device comes in once by who vouches for it, and again when that isn't asked", async () => {
      const { accounts, close } = await opened();
      expect(await accounts.enter(entry(watch, "too early"), VOUCHED)).toBe("unknown");
      expect(await accounts.enter(entry(laptop, "known"), VOUCHED)).toBe("unknown");
      expect(await accounts.enter(entry(phone, "a"), VOUCHED)).toBe("entered");
      expect(await accounts.enter(entry(phone, "b"), VOUCHED)).toBe("unknown");
      expect(await accounts.enter(entry(phone, "c", 1500), ANYBODY)).toBe("entered");
      expect(await accounts.enter(entry(watch, "d"), { ...ANYBODY, most: 2 })).toBe("full");
      expect(await accounts.family("a")).toMatchObject({ isRevoked: true });
      expect(await accounts.family("c")).toMatchObject({ isRevoked: false, device: idOfDevice(phone) });
      expect((await accounts.devices(alice.user)).map(({ enteredAt }) => enteredAt)).toEqual([1000, 1500]);
      await close();
    });

    test("a token is good once; the one before it as long as the newest was never used", async () => {
      const { accounts, close } = await opened();
      const renew = (shown: string, next: string, at = 1100) =>
        accounts.renew({
          family: "laptop's",
          shown: hash(shown),
          next: hash(next),
          at,
          expiresAt: at + 1000,
        });
      expect(await renew("laptop's 1", "2")).toBe("renewed");
      expect(await renew("laptop's 1", "2, again")).toBe("renewed");
      expect(await renew("2, again", "3", 1900)).toBe("renewed");
      expect((await accounts.devices(alice.user))[0]?.lastSeenAt).toBe(1900);
      expect(await accounts.family("laptop's")).toMatchObject({ isRevoked: false, expiresAt: 2900 });
      expect(await renew("2", "4")).toBe("reused");
      expect(await renew("3", "4")).toBe("over");
      await close();
    });

    test("a family ends by word and by time", async () => {
      const { accounts, close } = await opened();
      const renew = (at: number) =>
        accounts.renew({ family: "laptop's", shown: hash("laptop's 1"), next: hash("2"), at, expiresAt: at });
      expect(await renew(2000)).toBe("over");
      await accounts.endFamily("laptop's", 1100);
      expect(await renew(1200)).toBe("over");
      await close();
    });

    test("a document takes the place of the version before", async () => {
      const { accounts, close } = await opened();
      const keep = (version: number, box: string) => accounts.keepDocument(alice.user, { version, box });
      expect(await accounts.document(alice.user)).toEqual({ version: 0, box: "" });
      expect([await keep(0, "a"), await keep(2, "b"), await keep(1, "c"), await keep(1, "d")]).toEqual([
        false,
        false,
        true,
        false,
      ]);
      expect([await keep(2, "e"), await accounts.document(alice.user)]).toEqual([
        true,
        { version: 2, box: "e" },
      ]);
      await close();
    });

    test("each way to log in is changed by itself", async () => {
      const { accounts, close } = await opened();
      await accounts.changeLogin(alice.user, { kind: "passphrase", hash: hash("new"), box: "new vault" });
      expect(await accounts.loginHashes("login")).toMatchObject({
        passphrase: hash("new"),
        recovery: hash("recovery"),
      });
      await accounts.changeLogin(alice.user, { kind: "recovery", hash: hash("newer"), box: "new recovery" });
      expect(await accounts.loginHashes("login")).toMatchObject({ recovery: hash("newer") });
      expect(await accounts.account(alice.user)).toMatchObject({
        vault: "new vault",
        recovery: "new recovery",
      });
      await close();
    });

    test("a rotation changes everything at once: seed, contents, document, envelopes, who is out", async () => {
      const { accounts, close } = await opened();
      await accounts.enter(entry(phone, "phone's"), ANYBODY);
      await accounts.enter(entry(watch, "watch's"), ANYBODY);
      const tablet = (await alice.device("tablet")).device;
      await accounts.enter(entry(tablet, "tablet's"), ANYBODY);
      const [phoneId, watchId, tabletId] = [phone, watch, tablet].map(idOfDevice);
      const seeds = [{ device: tabletId ?? "", box: "for the tablet" }];
      const done = await accounts.rotate(rotation({ seeds, revoke: [phoneId ?? ""] }));
      expect(done).toBe(true);
      expect(await accounts.account(alice.user)).toMatchObject({ seedNumber: 1, contents: "new contents" });
      expect(await accounts.document(alice.user)).toEqual({ version: 1, box: "document" });
      const devices = await accounts.devices(alice.user);
      expect(devices.filter(({ revoked }) => revoked).map(({ id }) => id)).toEqual([phoneId, watchId]);
      expect(await accounts.family("phone's")).toMatchObject({ isRevoked: true, isDeviceRevoked: true });
      expect(await accounts.family("watch's")).toMatchObject({ isRevoked: true, isDeviceRevoked: true });
      expect(await accounts.family("tablet's")).toMatchObject({ isRevoked: false });
      expect(await accounts.seeds(alice.user, tabletId ?? "")).toEqual([
        { number: 1, by: idOfDevice(laptop), sealing: sealing("laptop's"), box: "for the tablet" },
      ]);
      for (const device of [phone, watch]) {
        expect(await accounts.enter(entry(device, "back"), ANYBODY)).toBe("revoked");
      }
      await close();
    });

    test("a device that is revoked before it has come in never does, nor what rests on it", async () => {
      const { accounts, close } = await opened();
      expect(await accounts.rotate(rotation({ revoke: [idOfDevice(phone)] }))).toBe(true);
      expect(await accounts.enter(entry(phone, "f"), ANYBODY)).toBe("revoked");
      expect(await accounts.enter(entry(watch, "g"), ANYBODY)).toBe("revoked");
      await close();
    });

    test("a rotation that comes too late, or forgets a device, changes nothing", async () => {
      const { accounts, close } = await opened();
      await accounts.enter(entry(phone, "phone's"), ANYBODY);
      const seeds = [{ device: idOfDevice(phone), box: "box" }];
      expect(await accounts.rotate(rotation({ seeds, number: 2 }))).toBe(false);
      expect(await accounts.rotate(rotation({ seeds, document: { version: 2, box: "" } }))).toBe(false);
      expect(await accounts.rotate(rotation())).toBe(false);
      expect(await accounts.account(alice.user)).toMatchObject({ seedNumber: 0, contents: "contents" });
      expect(await accounts.document(alice.user)).toMatchObject({ version: 0 });
      expect(await accounts.seeds(alice.user, idOfDevice(phone))).toEqual([]);
      expect(await accounts.rotate(rotation({ seeds }))).toBe(true);
      const next = { number: 2, document: { version: 2, box: "" } };
      expect(await accounts.rotate(rotation({ seeds, ...next }))).toBe(true);
      const envelopes = await accounts.seeds(alice.user, idOfDevice(phone));
      expect(envelopes.map(({ number }) => number)).toEqual([1, 2]);
      await close();
    });

    test("cleaning takes what is over, and keeps what may still be asked for", async () => {
      const { accounts, close } = await opened();
      await accounts.enter(entry(phone, "phone's"), ANYBODY);
      await accounts.enter(entry(watch, "watch's", 5000), ANYBODY);
      await accounts.endFamily("watch's", 5500);
      const keys = ["a", "b", "c"].map((id, i) => ({ id, seed: hash(id), createdAt: (i + 1) * 1000 }));
      for (const key of keys) await accounts.addSigningKey(key);
      await accounts.clean({ now: 1500, revokedBefore: 5500, retiredBefore: 1900 });
      expect(await accounts.signingKeys()).toEqual(keys);
      expect([await accounts.family("phone's"), await accounts.family("watch's")]).not.toContain(null);
      await accounts.clean({ now: 2500, revokedBefore: 5501, retiredBefore: 2001 });
      expect([await accounts.family("phone's"), await accounts.family("watch's")]).toEqual([null, null]);
      expect((await accounts.signingKeys()).map(({ id }) => id)).toEqual(["b", "c"]);
      await close();
    });
  });
}
