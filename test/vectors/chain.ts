import { nodeCurves } from "#adapters/curves.ts";
import { fromBase64url, fromUtf8, toBase64url } from "#protocol/bytes.ts";
import { certificateInput } from "#protocol/certificate.ts";
import { joinProofInput } from "#protocol/chain/proofs.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { found, type TestChain } from "../chain-builder.ts";
import { codeOfAsync } from "../code-of.ts";
import { deviceOf, fixedBytes, type Person, person, sealingKeys, type TestDevice } from "../person.ts";
import { hex } from "./hex.ts";

export async function chainVectors() {
  const [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  const phone = await deviceOf(bob, "phone");
  const chain = await found(alice);
  await chain.epoch(alice);
  const invite = await chain.invite(alice, { role: "member", uses: 2 });
  await chain.join(bob, invite);
  await chain.share(alice);
  await chain.addDevice(bob, phone);
  const refused = await refusedEntries(chain, alice, bob);
  await chain.leave(bob);
  await chain.epoch(alice);
  const proof = await chain.draft.join(bob, invite);
  const proofInput = joinProofInput(chain.workspace, {
    code: invite.code,
    user: bob.id,
    root: bob.root,
    sealing: fromBase64url(proof.sealing),
  });
  return {
    about:
      'A membership chain, whole: alice founds a workspace, begins epoch 0, invites; bob joins, is sealed the key, adds a phone, leaves; alice begins epoch 1. Each entry is a record (record.json) on the label "chain" whose body is `entry` in plain; its header\'s `head` is the entry before; `hash` is the SHA-256 of the record, base64url. A device\'s certificate is the root\'s Ed25519 signature over `certificateInput`, a join\'s proof the invite key\'s (Ed25519 seed: derive.json, "invite") over `proofInput`; both inputs are "claudemesh/1/", the purpose, NUL, then each part behind its u32 length. Each member\'s box in an epoch is a key box (seal.json) under the "epoch" key of author and member, `previous` one under the "previous" key. `refused` are records that are wrong as the entry that follows `after`, the height, with the code of the refusal. Keys and records in hex, ids in base64url; all signatures are deterministic (RFC 8032).',
    workspace: chain.workspace,
    people: await Promise.all([alice, bob].map((who) => personVector(who, chain.workspace))),
    devices: [deviceVector(alice, alice.device), deviceVector(bob, bob.device), deviceVector(bob, phone)],
    invite: {
      code: invite.code,
      secret: hex(invite.secret),
      seed: hex(inviteSeed(invite.secret)),
      key: hex(await nodeCurves.signingPublicKey(inviteSeed(invite.secret))),
      joiner: bob.id,
      proofInput: hex(proofInput),
      proof: hex(fromBase64url(proof.proof)),
    },
    workspaceKeys: chain.keys.map(hex),
    entries: chain.steps.map(({ record, bytes, sequence, state }) => ({
      sequence,
      height: state.head.height,
      entry: fromUtf8(record.body),
      record: hex(bytes),
      hash: state.head.hash,
    })),
    refused,
  };
}

async function personVector(who: Person, workspace: string) {
  const { secret, publicKey } = await sealingKeys(who, workspace);
  return {
    name: who.name,
    id: who.id,
    rootSeed: hex(who.rootSeed),
    rootKey: hex(who.root),
    seed: hex(who.seed),
    seedNumber: who.seedNumber,
    sealingSecret: hex(secret),
    sealingKey: hex(publicKey),
  };
}

function deviceVector(owner: Person, device: TestDevice) {
  return {
    id: device.id,
    member: owner.id,
    seed: hex(device.seed),
    key: hex(device.key),
    certificateInput: hex(certificateInput(owner.id, device.key)),
    certificate: hex(device.certificate),
  };
}

/** Wrong entries after height 5: bob is a member with two devices, the invite has one use left. */
async function refusedEntries(chain: TestChain, alice: Person, bob: Person) {
  const { sequence } = chain;
  const [carol, mallory] = await Promise.all([person("carol"), person("mallory")]);
  const { code, secret } = (await chain.draft.invite({ code: "Invite00" })).invite;
  const join = await chain.draft.join(mallory, { code, secret });
  const malloryWrong = await chain.draft.join(mallory, { code, secret: fixedBytes("guess", 16) });
  const epoch = await chain.draft.epoch(alice);
  const { entry: invite } = await chain.draft.invite({ code: "Invite01" });
  const elsewhere = { height: chain.state.head.height, hash: toBase64url(fixedBytes("another head")) };
  const cases: [string, Uint8Array][] = [
    ["it continues another head", await chain.sign(bob, chain.draft.leave(), { head: elsewhere })],
    [
      "it is signed by another device than it names",
      await chain.sign(alice, chain.draft.leave(), {
        signer: { ...alice.device, seed: mallory.device.seed },
      }),
    ],
    ["a member speaks in another's name", await chain.sign(bob, invite, { from: alice.id })],
    ["a stranger speaks", await chain.sign(mallory, invite)],
    ["a member invites who has no right to", await chain.sign(bob, invite)],
    ["the owner leaves", await chain.sign(alice, chain.draft.leave())],
    ["a join with a guessed secret", await chain.sign(mallory, malloryWrong)],
    ["a join by a member", await chain.sign(bob, await chain.draft.join(bob, { code, secret }))],
    ["a join under another's user id", await chain.sign(mallory, join, { from: carol.id })],
    ["a join without an invite", await chain.sign(mallory, { ...join, code: "NoInvite" })],
    [
      "a device entry without a certificate",
      await chain.sign(alice, {
        type: "device",
        device: { key: toBase64url(alice.device.key), certificate: "", via: [] },
      }),
    ],
    ["an epoch that leaves a number out", await chain.sign(alice, { ...epoch, number: 2 })],
    [
      "an epoch that leaves a member out",
      await chain.sign(alice, { ...epoch, sealed: { [alice.id]: epoch.sealed[alice.id] ?? "" } }),
    ],
  ];
  return Promise.all(
    cases.map(async ([why, record]) => {
      const code = await codeOfAsync(chain.branch().offer(record));
      return { after: chain.state.head.height, sequence, why, record: hex(record), code };
    }),
  );
}
