import nacl from "tweetnacl";
import { nodeCurves } from "#adapters/curves.ts";
import { concat, fromBase64url, toBase64url, u32, u64, utf8 } from "#protocol/bytes.ts";
import * as derive from "#protocol/derive.ts";
import { hmacSha256, sha256 } from "#protocol/hash.ts";
import { wrapKey } from "#protocol/key-box.ts";
import { padme } from "#protocol/padme.ts";
import { sealBody } from "#protocol/seal.ts";
import { fixedBytes, fixedRandom, person, sealingKeys } from "../person.ts";
import { hex } from "./hex.ts";

const workspace = toBase64url(fixedBytes("workspace", 16));
const topic = toBase64url(fixedBytes("topic", 16));
const NONE = new Uint8Array(0);

type Arguments = Record<string, string | number>;

/** One derivation: what the function takes by name, and the HKDF inputs that come of it. */
function derivation(
  name: string,
  given: Arguments,
  [secret, salt]: [Uint8Array, Uint8Array],
  info: Uint8Array[],
  output: Uint8Array,
) {
  const whole = concat(utf8("claudemesh/1/"), ...info);
  return {
    name,
    given,
    hkdf: { secret: hex(secret), salt: hex(salt), info: hex(whole) },
    output: hex(output),
  };
}

export async function deriveVectors() {
  const [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  const [a, b] = await Promise.all([sealingKeys(alice, workspace), sealingKeys(bob, workspace)]);
  const pair = await derive.pairKey(nodeCurves, a.secret, b.publicKey);
  const key = fixedBytes("workspace key");
  const content = derive.labelContentKey(key, topic);
  const header = fixedBytes("header", 200);
  const invite = fixedBytes("invite secret", 16);
  const ws = fromBase64url(workspace);
  const device = alice.device.id;
  const bigCounter = 2 ** 32 + 1;
  const labels = derive.labelsKey(key);
  return {
    about:
      'Every derived key. Each is HKDF-SHA256 (RFC 5869) with 32 bytes of output over `hkdf`, all in hex; `info` is "claudemesh/1/", the purpose, then its context: ids as their 16 bytes, epoch and seed number as big-endian u32, a presence\'s counter as u64. `given` are the arguments by name: keys in hex, ids in base64url. `labelIds`: the first 16 bytes of HMAC-SHA256(key, kind ":" name). `privateLabels`: the same of "private:", under the labels key of a private topic. `pairKeys`: X25519, then HSalsa20 with sixteen zeros, as NaCl\'s crypto_box_beforenm.',
    derivations: [
      derivation(
        "member",
        { seed: hex(alice.seed), user: alice.id, workspace, seedNumber: 1 },
        [alice.seed, fromBase64url(alice.id)],
        [utf8("member"), ws, u32(1)],
        a.secret,
      ),
      derivation("labels", { key: hex(key) }, [key, NONE], [utf8("labels")], labels),
      derivation(
        "label",
        { key: hex(key), label: topic },
        [key, NONE],
        [utf8("label"), utf8(topic)],
        content,
      ),
      derivation(
        "label",
        { key: hex(key), label: "*" },
        [key, NONE],
        [utf8("label"), utf8("*")],
        derive.labelContentKey(key, "*"),
      ),
      derivation(
        "record",
        { key: hex(content), workspace, header: hex(header) },
        [content, NONE],
        [utf8("record"), ws, sha256(header)],
        derive.recordKey(content, workspace, header),
      ),
      derivation(
        "epoch-commit",
        { key: hex(key), workspace, epoch: 3 },
        [key, NONE],
        [utf8("epoch-commit"), ws, u32(3)],
        derive.epochCommitment(key, workspace, 3),
      ),
      derivation(
        "epoch",
        { pair: hex(pair), workspace, epoch: 3 },
        [pair, NONE],
        [utf8("epoch"), ws, u32(3)],
        derive.epochWrapKey(pair, workspace, 3),
      ),
      derivation(
        "previous",
        { key: hex(key), workspace, epoch: 3 },
        [key, NONE],
        [utf8("previous"), ws, u32(3)],
        derive.previousWrapKey(key, workspace, 3),
      ),
      derivation(
        "presence",
        { key: hex(key), device, counter: bigCounter },
        [key, NONE],
        [utf8("presence"), fromBase64url(device), u64(bigCounter)],
        derive.presenceKey(key, device, bigCounter),
      ),
      derivation(
        "own-cells",
        { seed: hex(alice.seed), user: alice.id, workspace },
        [alice.seed, fromBase64url(alice.id)],
        [utf8("own-cells"), ws],
        derive.ownCellsKey(alice.seed, alice.id, workspace),
      ),
      derivation(
        "resting",
        { seed: hex(alice.seed), user: alice.id, workspace },
        [alice.seed, fromBase64url(alice.id)],
        [utf8("resting"), ws],
        derive.restingKey(alice.seed, alice.id, workspace),
      ),
      derivation(
        "invite",
        { secret: hex(invite) },
        [invite, NONE],
        [utf8("invite")],
        derive.inviteSeed(invite),
      ),
    ],
    labelIds: ["general", "release-1.0"].map((name) => ({
      key: hex(labels),
      kind: "topic",
      name,
      hmac: hex(hmacSha256(labels, utf8(`topic:${name}`))),
      id: derive.labelId(labels, "topic", name),
    })),
    privateLabels: [fixedBytes("topic key")].map((topicKey) => ({
      topicKey: hex(topicKey),
      key: hex(derive.labelsKey(topicKey)),
      hmac: hex(hmacSha256(derive.labelsKey(topicKey), utf8("private:"))),
      id: derive.privateLabel(topicKey),
    })),
    pairKeys: [
      {
        secretA: hex(a.secret),
        publicA: hex(a.publicKey),
        secretB: hex(b.secret),
        publicB: hex(b.publicKey),
        shared: hex(await nodeCurves.agree(a.secret, b.publicKey)),
        pair: hex(pair),
      },
    ],
  };
}

export function sealVectors() {
  const key = fixedBytes("record key");
  const wrapping = fixedBytes("wrap key");
  const workspaceKey = fixedBytes("workspace key");
  const bodies = [
    '{"kind":"probe","at":1750000000000}',
    "",
    `{"kind":"message","text":"${"é".repeat(300)}"}`,
  ].map((json, i) => {
    const nonce = fixedBytes(`nonce ${i}`, 24);
    const content = utf8(json);
    const padded = new Uint8Array(padme(4 + content.length));
    padded.set(concat(u32(content.length), content));
    return { json, nonce: hex(nonce), padded: hex(padded), body: hex(sealBody(key, content, () => nonce)) };
  });
  return {
    about:
      "A record's body: the first 16 bytes of HKDF(record key, info \"claudemesh/1/commit\") as commitment, a 24-byte nonce, then NaCl's secretbox (XSalsa20-Poly1305, tag first) of `padded`: big-endian u32 length, the JSON in UTF-8, zeros up to Padme's length. `refused` bodies must not open under `key`. `keyBoxes`: a workspace key as an epoch entry carries it, nonce, then secretbox under a wrap key. All in hex but `json`.",
    key: hex(key),
    commitment: hex(sealBody(key, utf8("{}"), fixedRandom("any")).subarray(0, 16)),
    bodies,
    refused: refusedBodies(key),
    keyBoxes: [
      {
        wrapKey: hex(wrapping),
        key: hex(workspaceKey),
        nonce: hex(fixedBytes("box", 24)),
        box: hex(wrapKey(wrapping, workspaceKey, fixedRandom("box"))),
      },
    ],
  };
}

function refusedBodies(key: Uint8Array) {
  const right = sealBody(key, utf8("{}"), fixedRandom("refused"));
  const commitment = right.subarray(0, 16);
  const nonce = right.subarray(16, 40);
  const around = (padded: Uint8Array) => concat(commitment, nonce, nacl.secretbox(padded, nonce, key));
  const lastFlipped = new Uint8Array(right);
  lastFlipped[right.length - 1] = (lastFlipped[right.length - 1] ?? 0) ^ 1;
  const cases: [string, Uint8Array][] = [
    ["the commitment is another key's", concat(fixedBytes("another", 16), right.subarray(16))],
    ["the last bit is flipped", lastFlipped],
    ["it is cut inside of the nonce", right.subarray(0, 30)],
    ["it has no tag", right.subarray(0, 40)],
    ["it is not padded", around(concat(u32(2), utf8("{}")))],
    ["its padding is not zero", around(concat(u32(2), utf8("{}"), new Uint8Array(249), Uint8Array.of(1)))],
    ["its length points beyond the end", around(concat(u32(0xffffffff), new Uint8Array(252)))],
  ];
  return cases.map(([why, body]) => ({ why, body: hex(body) }));
}
