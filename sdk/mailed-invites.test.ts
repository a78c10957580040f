// Invites by e-mail in one process: who sees a request, whom the words let in, and a broker that lies about either.
import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import type { BrokerLimits } from "#broker/limits.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { inviteAnswerKey, pairKey } from "#protocol/derive.ts";
import type { ErrorCode } from "#protocol/errors.ts";
import { type JoinRequest, joinRequestInput } from "#protocol/join-request.ts";
import { wrapKey } from "#protocol/key-box.ts";
import { codeOfAsync } from "#test/code-of.ts";
import { CALLER, createMesh, invite, type Member } from "#test/mesh.ts";
import { fixedBytes, fixedRandom } from "#test/person.ts";
import { sealingPair } from "./account/account.ts";
import { keptInvite } from "./membership/invite.ts";

const SHORT_MS = 50;

async function mailing(limits: Partial<BrokerLimits> = {}) {
  const mails: { to: string; text: string }[] = [];
  const mesh = await createMesh(limits, { mail: { send: async (mail) => void mails.push(mail) } });
  const [alice, bob] = [await mesh.person("alice"), await mesh.person("bob")];
  await mesh.team(alice);
  return { mesh, mails, alice, bob };
}

const mailTo = async (member: Member, email: string) =>
  member.handlers.invite.create({ email }, CALLER, () => {});
const join = async (member: Member, url: string, waitMs = SHORT_MS) =>
  member.handlers.invite.accept({ url, waitMs }, CALLER, () => {});
const approve = async (member: Member, code: string, words = "") =>
  member.handlers.invite.approve({ code, words }, CALLER, () => {});

async function expectRefusal(code: ErrorCode, asked: Promise<unknown>): Promise<void> {
  expect(await codeOfAsync(asked)).toBe(code);
}

async function listed(member: Member, code: string) {
  const { invites } = await member.handlers.invite.list({}, CALLER, () => {});
  const found = invites.find((one) => one.code === code);
  if (!found) throw new Error(`${member.name} doesn't know the invite ${code}`);
  return found;
}

const requestAt = (member: Member, code: string) =>
  member.until(async () => (await listed(member, code)).requests.length > 0, "the request");

/** Frames of that kind that the member's device has sent. */
function sentBy(member: Member, type: string): string[] {
  const sent: string[] = [];
  member.toBroker = (frame) => {
    if (typeof frame === "string" && JSON.parse(frame).type === type) sent.push(frame);
    return [frame];
  };
  return sent;
}

/** The request as another person's device would make it. */
async function requestOf(member: Member, workspace: string, code: string): Promise<JoinRequest> {
  const { account, ports } = member.peer;
  const { key } = await sealingPair(ports, account, workspace);
  const claim = { user: account.user, root: toBase64url(account.rootKey), sealing: toBase64url(key) };
  const { device } = account;
  return {
    ...claim,
    device: { key: toBase64url(device.key), certificate: toBase64url(device.certificate), via: [] },
    signature: toBase64url(await nodeCurves.sign(device.secret, joinRequestInput(workspace, code, claim))),
  };
}

test("who asks is let in by the words, and reads and writes from then on", async () => {
  const { mesh, mails, alice, bob } = await mailing();
  const { url, code } = await mailTo(alice, "bob@example.org");
  expect(mails).toMatchObject([{ to: "bob@example.org", text: expect.stringContaining(url) }]);
  const { words = "" } = await join(bob, url);
  await requestAt(alice, code);
  expect((await listed(alice, code)).requests).toMatchObject([{ member: bob.peer.account.user, words }]);
  await approve(alice, code, ` ${words.toUpperCase().replaceAll(" ", ", ")} `);
  expect((await join(bob, url, 10_000)).slug).toBe("acme");
  await alice.until(async () => (await listed(alice, code)).state === "accepted", "bob to be in");
  expect(await listed(alice, code)).toMatchObject({
    requests: [],
    usedBy: [{ member: bob.peer.account.user }],
  });
  await bob.send("alice", "here I am");
  await alice.until(async () => (await alice.inbox()).length === 1, "bob's message");
  expect(mesh.logged.join()).not.toContain("bob@");
});

test("admins see who asks; whoever made the invite approves, on the device that it was made on", async () => {
  const { mesh, alice, bob } = await mailing();
  const carol = await mesh.person("carol");
  await invite(alice, carol);
  await alice.handlers.workspace.role({ member: "carol", role: "admin" }, CALLER, () => {});
  const role = () => carol.opened().workspace.chain()?.members.get(carol.peer.account.user)?.role;
  await carol.until(() => role() === "admin", "her role");
  const { url, code } = await mailTo(alice, "bob@example.org");
  const { words = "" } = await join(bob, url);
  await requestAt(carol, code);
  expect(await listed(carol, code)).toMatchObject({ email: null, requests: [{ words }] });
  const { notices } = await carol.handlers.message.inbox({}, CALLER, () => {});
  expect(notices.at(-1)).toMatchObject({
    kind: "asks to join",
    detail: { words, code },
    text: `somebody asks to join by alice's invite ${code}, and alice lets them in`,
  });
  expect(JSON.stringify(notices)).not.toContain("bob@");
  await expectRefusal("not_allowed", approve(carol, code, words));
  await approve(alice, code, words);
  await join(bob, url, 10_000);
});

test("a member who may not invite mails nothing, and isn't told who asks", async () => {
  const { mesh, alice, bob } = await mailing();
  const carol = await mesh.person("carol");
  await invite(alice, carol);
  await expectRefusal("not_allowed", mailTo(carol, "x@example.org"));
  const { url, code } = await mailTo(alice, "bob@example.org");
  await join(bob, url);
  await requestAt(alice, code);
  expect(await listed(carol, code)).toMatchObject({ requests: [] });
});

test("a broker that puts another's keys in the place of who asks has other words, and is given nothing", async () => {
  const { mesh, alice, bob } = await mailing();
  const mallory = await mesh.person("mallory");
  const { url, code } = await mailTo(alice, "bob@example.org");
  const mallorys = await requestOf(mallory, alice.opened().workspace.id, code);
  alice.toDevice = (frame) => {
    const parsed = typeof frame === "string" ? JSON.parse(frame) : {};
    if (parsed.type !== "requested") return [frame];
    for (const one of parsed.requests) one.request = mallorys;
    return [JSON.stringify(parsed)];
  };
  const answers = sentBy(alice, "answer");
  const { words = "" } = await join(bob, url);
  await requestAt(alice, code);
  expect((await listed(alice, code)).requests[0]?.words).not.toBe(words);
  await expectRefusal("bad_data", approve(alice, code, words));
  expect(answers).toEqual([]);
});

test("a broker that swaps the sealing key alone breaks the signature: nobody seems to ask", async () => {
  const { alice, bob } = await mailing();
  const { url, code } = await mailTo(alice, "bob@example.org");
  const sealing = toBase64url(await nodeCurves.sealingPublicKey(fixedBytes("the broker's")));
  let swapped = 0;
  alice.toDevice = (frame) => {
    const parsed = typeof frame === "string" ? JSON.parse(frame) : {};
    if (parsed.type !== "requested") return [frame];
    for (const one of parsed.requests) one.request.sealing = sealing;
    swapped += parsed.requests.length;
    return [JSON.stringify(parsed)];
  };
  const { words = "" } = await join(bob, url);
  await alice.until(() => swapped > 0, "the changed request");
  await expectRefusal("not_found", approve(alice, code, words));
  expect((await listed(alice, code)).requests).toEqual([]);
});

test.each(["", "abandon ability able about above", "words words words words words words words"])(
  "words that aren't exactly the six let nobody in: %j",
  async (wrong) => {
    const { alice, bob } = await mailing();
    const { url, code } = await mailTo(alice, "bob@example.org");
    const { words = "" } = await join(bob, url);
    await requestAt(alice, code);
    const answers = sentBy(alice, "answer");
    await expectRefusal("bad_data", approve(alice, code, wrong));
    await expectRefusal("bad_data", approve(alice, code, `${words} ${words}`));
    await expectRefusal("bad_data", approve(alice, code, words.split(" ").slice(0, 5).join(" ")));
    expect(answers).toEqual([]);
  },
);

/** The broker's answer to whoever looks whether they are let in. */
function answering(member: Member, answer: unknown): void {
  member.overHttp = async (url, _, ask) => {
    const given = await ask();
    return /\/requests\/[^/]+$/.test(url) ? { status: 200, body: { answer } } : given;
  };
}

const junk: [string, unknown, ErrorCode][] = [
  ["a word", "come in", "bad_seal"],
  ["an empty object", {}, "bad_seal"],
  ["a box that is cut", { sealing: toBase64url(fixedBytes("key")), box: "AAAA" }, "bad_seal"],
  ["noise", { sealing: toBase64url(fixedBytes("key")), box: toBase64url(fixedBytes("box", 72)) }, "bad_seal"],
  [
    "a key of zeros",
    { sealing: toBase64url(new Uint8Array(32)), box: toBase64url(new Uint8Array(72)) },
    "bad_key",
  ],
];

test.each(junk)("an approval that is %s leads nowhere", async (_, answer, code) => {
  const { alice, bob } = await mailing();
  const { url } = await mailTo(alice, "bob@example.org");
  await join(bob, url);
  answering(bob, answer);
  await expectRefusal(code, join(bob, url, 10_000));
  expect(bob.peer.opened()).toEqual([]);
});

/** What a broker can seal by itself: to bob, from a key of its own. */
async function forged(bob: Member, workspace: string, code: string, content: Uint8Array) {
  const secret = fixedBytes("the broker's sealing key");
  const { account, ports } = bob.peer;
  const pair = await pairKey(nodeCurves, secret, (await sealingPair(ports, account, workspace)).key);
  const box = wrapKey(inviteAnswerKey(pair, workspace, code, account.user), content, fixedRandom("nonce"));
  return { sealing: toBase64url(await nodeCurves.sealingPublicKey(secret)), box: toBase64url(box) };
}

test("a broker that approves by itself can't let anybody into a chain that it can't sign", async () => {
  const { alice, bob } = await mailing();
  const { url, code } = await mailTo(alice, "bob@example.org");
  const { id, chain } = alice.opened().workspace;
  await join(bob, url);
  const head = Buffer.from(chain()?.head.hash ?? "", "base64url").subarray(0, 16);
  answering(bob, await forged(bob, id, code, Buffer.concat([fixedBytes("a secret", 16), head])));
  await expectRefusal("invite_bad_signature", join(bob, url, 10_000));
  expect(bob.peer.opened()).toEqual([]);

  // Even with the right one: another chain than alice saw is refused.
  const kept = keptInvite(alice.peer.ports.keychain, code)?.secret ?? new Uint8Array(0);
  answering(bob, await forged(bob, id, code, Buffer.concat([kept, fixedBytes("a head", 16)])));
  await expectRefusal("invite_wrong_head", join(bob, url, 10_000));
  expect(bob.peer.opened()).toEqual([]);
  expect(chain()?.members.size).toBe(1);

  // The request is still there, and so is the right way in.
  bob.overHttp = (_url, _params, ask) => ask();
  const { words = "" } = await join(bob, url);
  await approve(alice, code, words);
  expect((await join(bob, url, 10_000)).slug).toBe("acme");
});

test("an approval for one newcomer is of no use to another", async () => {
  const { mesh, alice, bob } = await mailing();
  const mallory = await mesh.person("mallory");
  const { url, code } = await mailTo(alice, "bob@example.org");
  const { words = "" } = await join(bob, url);
  await join(mallory, url);
  await alice.until(async () => (await listed(alice, code)).requests.length === 2, "both requests");
  const sent = sentBy(alice, "answer");
  await approve(alice, code, words);
  answering(mallory, JSON.parse(sent[0] ?? "").answer);
  await expectRefusal("bad_seal", join(mallory, url, 10_000));
  expect(mallory.peer.opened()).toEqual([]);
});

test("what is over says so: unknown, made for a link, revoked, expired, used up", async () => {
  const { mesh, alice, bob } = await mailing();
  await expectRefusal("invite_not_found", join(bob, "http://mesh.test/i/AAAAAAAA"));
  const link = await alice.handlers.invite.create({}, CALLER, () => {});
  await expectRefusal("invite_malformed", join(bob, link.url.split("#")[0] ?? ""));

  const revoked = await mailTo(alice, "bob@example.org");
  await join(bob, revoked.url);
  await alice.handlers.invite.revoke({ code: revoked.code }, CALLER, () => {});
  await expectRefusal("invite_revoked", join(bob, revoked.url, 10_000));
  await expectRefusal("refused", approve(alice, revoked.code, "whatever"));

  const used = await mailTo(alice, "bob@example.org");
  const { words = "" } = await join(bob, used.url);
  await requestAt(alice, used.code);
  await approve(alice, used.code, words);
  await join(bob, used.url, 10_000);
  await expectRefusal("conflict", join(bob, used.url));
  const carol = await mesh.person("carol");
  await expectRefusal("invite_exhausted", join(carol, used.url));

  const old = await mailTo(alice, "carol@example.org");
  await join(carol, old.url);
  mesh.advance(8 * 86_400_000);
  await expectRefusal("invite_expired", join(carol, old.url, 10_000));
  expect((await listed(alice, old.code)).state).toBe("expired");
});

test("a workspace sends so many mails a day; an invite whose mail wasn't sent lets nobody in", async () => {
  const { mails, alice } = await mailing({ mailsPerDay: 2 });
  for (const name of ["bob", "carol"]) await mailTo(alice, `${name}@example.org`);
  await expectRefusal("slow_down", mailTo(alice, "dave@example.org"));
  expect(mails).toHaveLength(2);
  const { invites } = await alice.handlers.invite.list({}, CALLER, () => {});
  expect(invites.map(({ state }) => state)).toEqual(["pending", "pending", "revoked"]);
});

test("one address gets so many mails a day, from whatever workspace", async () => {
  const { mesh, mails, alice } = await mailing({ mailsPerDay: 2 });
  const carol = await mesh.person("carol");
  await mesh.team(carol);
  await mailTo(alice, "bob@example.org");
  await mailTo(carol, "Bob@example.org");
  await expectRefusal("slow_down", mailTo(alice, "bob@EXAMPLE.org"));
  expect(mails).toHaveLength(2);
  mesh.advance(86_400_000);
  await mailTo(carol, "bob@example.org");
});

test("one network address asks so often an hour", async () => {
  const { mesh, alice, bob } = await mailing({ joinRequestsPerHour: 2 });
  const invites = [];
  for (let i = 0; i < 3; i++) invites.push(await mailTo(alice, "bob@example.org"));
  const [first = "", second = "", third = ""] = invites.map(({ url }) => url);
  await join(bob, first);
  await join(bob, second);
  // Asked again, it is the same request, and is posted once.
  await join(bob, first);
  await expectRefusal("slow_down", join(bob, third));
  await join(await mesh.person("carol"), third);
  mesh.advance(3_600_000);
  await join(bob, third);
});

test("a request waits for days, over a restart of the broker, and then is forgotten", async () => {
  const { mesh, alice, bob } = await mailing();
  const { url, code } = await alice.handlers.invite.create(
    { email: "bob@example.org", expiresInMs: 30 * 86_400_000 },
    CALLER,
    () => {},
  );
  await join(bob, url);
  await requestAt(alice, code);
  await mesh.restartBroker();
  mesh.advance(8 * 86_400_000);
  await expectRefusal("not_found", join(bob, url, 10_000));
  await mesh.broker().retention.run();
  await alice.until(() => alice.opened().workspace.link() === "online", "the link");
  await expectRefusal("not_found", approve(alice, code, "whatever"));
  // Asked again, it is another request by the same words.
  const { words = "" } = await join(bob, url);
  await approve(alice, code, words);
  expect((await join(bob, url, 10_000)).slug).toBe("acme");
});
