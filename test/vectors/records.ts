import { nodeCurves } from "#adapters/curves.ts";
import { concat, fromUtf8, toBase64url, u16, utf8 } from "#protocol/bytes.ts";
import { labelContentKey, pairKey, recordKey } from "#protocol/derive.ts";
import { encodeHeader, encodeRecord, type Header, recordSignatureInput } from "#protocol/record.ts";
import { sealBody } from "#protocol/seal.ts";
import { fixedBytes, type Person, person, recordId, sealingKeys } from "../person.ts";
import { hex } from "./hex.ts";

const workspace = toBase64url(fixedBytes("workspace", 16));

async function sealed(author: Person, header: Header, contentKey: Uint8Array, json: string) {
  const headerBytes = encodeHeader(header);
  const key = recordKey(contentKey, workspace, headerBytes);
  const nonce = fixedBytes(`nonce of ${header.n}`, 24);
  const body = sealBody(key, utf8(json), () => nonce);
  const signatureInput = recordSignatureInput(workspace, headerBytes, body);
  const signature = await nodeCurves.sign(author.device.seed, signatureInput);
  return {
    header: fromUtf8(headerBytes),
    contentKey: hex(contentKey),
    recordKey: hex(key),
    nonce: hex(nonce),
    json,
    body: hex(body),
    signatureInput: hex(signatureInput),
    signature: hex(signature),
    record: hex(encodeRecord(headerBytes, signature, body)),
  };
}

export async function recordVectors() {
  const [alice, bob] = await Promise.all([person("alice"), person("bob")]);
  const [a, b] = await Promise.all([sealingKeys(alice, workspace), sealingKeys(bob, workspace)]);
  const said = {
    from: alice.id,
    dev: alice.device.id,
    epoch: 2,
    head: { height: 6, hash: toBase64url(fixedBytes("head")) },
  };
  const { from, dev, epoch, head } = said;
  const toAll: Header = { id: recordId(1), from, dev, to: "*", n: 1, epoch, head, alg: "label", kid: "" };
  const toBob: Header = {
    id: recordId(2),
    from,
    dev,
    to: bob.id,
    n: 2,
    epoch,
    head,
    alg: "pair",
    kid: "1.1",
  };
  const put = {
    key: toBase64url(fixedBytes("cell", 16)),
    version: 2,
    expect: toBase64url(fixedBytes("the record before")),
    own: true,
    ttl: 60_000,
    tombstone: false,
  };
  const value: Header = { ...toAll, id: recordId(3), n: 0, put };
  const key = fixedBytes("workspace key");
  const records = [
    await sealed(alice, toAll, labelContentKey(key, "*"), '{"kind":"probe","at":1750000000000}'),
    await sealed(
      alice,
      toBob,
      await pairKey(nodeCurves, a.secret, b.publicKey),
      '{"kind":"probe","at":1750000000001}',
    ),
    await sealed(alice, value, labelContentKey(key, "*"), '{"kind":"probe","at":1750000000002}'),
  ];
  return {
    about:
      'Whole records: big-endian u16 length of the header, the header (JSON with keys in this order, no blanks), a 64-byte Ed25519 signature, the body. The signature covers `signatureInput`: "claudemesh/1/record" NUL, then workspace id (16 bytes), header bytes and SHA-256(body), each behind its length as a big-endian u32. The body is sealed as in seal.json, `recordKey` is derived from `contentKey` as in derive.json; the first record goes to everyone under the key of the label, the second to one member under the pair key, the third is a put. `refused` records must not be decoded. Bytes in hex, ids in base64url.',
    workspace,
    workspaceKey: hex(key),
    device: { seed: hex(alice.device.seed), key: hex(alice.device.key) },
    records,
    refused: refusedRecords(toAll),
  };
}

function refusedRecords(header: Header) {
  const text = fromUtf8(encodeHeader(header));
  const around = (json: string, length = json.length) =>
    hex(concat(u16(length), utf8(json), new Uint8Array(64)));
  return [
    { why: "it is cut inside of the signature", record: around(text).slice(0, -2) },
    { why: "the header's length is one too small", record: around(text, text.length - 1) },
    { why: "the header's length points beyond the end", record: around(text, 0xffff) },
    { why: "a blank in the header", record: around(text.replace(",", ", ")) },
    { why: "another key order", record: around(text.replace(/("n":1),("epoch":2)/, "$2,$1")) },
    { why: "a key given twice", record: around(text.replace('"n":1', '"n":1,"n":1')) },
    { why: "an unknown key", record: around(text.replace('"n":1', '"n":1,"m":1')) },
    { why: "an integer written as 1.0", record: around(text.replace('"n":1', '"n":1.0')) },
    { why: "an integer written as 1e0", record: around(text.replace('"n":1', '"n":1e0')) },
    { why: "an escaped letter", record: around(text.replace('"label"', '"\\u006cabel"')) },
    { why: "an append with a number of 0", record: around(text.replace('"n":1', '"n":0')) },
    {
      why: "a put with a number",
      record: around(
        fromUtf8(
          encodeHeader({
            ...header,
            put: { key: header.dev, version: 1, expect: null, own: false, ttl: null, tombstone: false },
          }),
        ),
      ),
    },
  ];
}
