// Encodings, ids, keys and seals against the committed vectors, and the vectors against other implementations.
import { createHash, createHmac, hkdfSync } from "node:crypto";
import nacl from "tweetnacl";
import { describe, expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { fromBase64url, fromUtf8, toBase64url, utf8 } from "#protocol/bytes.ts";
import { workspaceId } from "#protocol/chain/entries.ts";
import * as derive from "#protocol/derive.ts";
import { createRecordIds, newInviteCode, recordIdTime } from "#protocol/ids.ts";
import { unwrapKey, wrapKey } from "#protocol/key-box.ts";
import { padme } from "#protocol/padme.ts";
import { openBody, sealBody } from "#protocol/seal.ts";
import { codeOf } from "#test/code-of.ts";
import keys from "./derive.json" with { type: "json" };
import encoding from "./encoding.json" with { type: "json" };
import ids from "./ids.json" with { type: "json" };
import seal from "./seal.json" with { type: "json" };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const sha256 = (text: string) => createHash("sha256").update(bytes(text)).digest("hex");

describe("encoding.json", () => {
  test.each(encoding.base64url)("$hex is $text", (vector) => {
    expect(toBase64url(bytes(vector.hex))).toBe(vector.text);
    expect(hex(fromBase64url(vector.text))).toBe(vector.hex);
  });

  test.each(encoding.base64urlRefused)("%j is refused", (text) => {
    expect(codeOf(() => fromBase64url(text))).toBe("bad_data");
  });

  test.each(encoding.padme)("$length is padded to $padded", ({ length, padded }) => {
    expect(padme(length)).toBe(padded);
  });
});

describe("ids.json", () => {
  test("users and devices are named by the hash of their keys", () => {
    for (const { rootKey, sha256: hash, id } of ids.users) {
      expect([sha256(rootKey), derive.idOf(bytes(rootKey))]).toEqual([hash, id]);
      expect(hex(fromBase64url(id))).toBe(hash.slice(0, 32));
    }
    for (const { key, sha256: hash, id } of ids.devices) {
      expect([sha256(key), derive.idOf(bytes(key))]).toEqual([hash, id]);
    }
  });

  test("workspaces by the hash of their genesis", () => {
    for (const { nonce, root, created, input, id } of ids.workspaces) {
      expect(workspaceId({ nonce, root, created })).toBe(id);
      expect(hex(fromBase64url(id))).toBe(sha256(input).slice(0, 32));
    }
  });

  test("records by time and randomness, one after the other", () => {
    let at = 0;
    const now = () => ids.recordIds[at]?.clock ?? 0;
    const mint = createRecordIds({ now }, () => bytes(ids.recordIds[at]?.random ?? ""));
    for (const [i, { id }] of ids.recordIds.entries()) {
      at = i;
      expect(mint()).toBe(id);
      expect(recordIdTime(id)).toBe(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16));
    }
  });

  test.each(ids.inviteCodes)("invites by their code $code", ({ random, code }) => {
    expect(newInviteCode(() => bytes(random))).toBe(code);
  });
});

describe("derive.json", () => {
  const text = (value: string | number | undefined) => String(value ?? "");
  /** The function of each purpose, given its arguments by name. */
  const derivations: Record<string, (given: Record<string, string | number | undefined>) => Uint8Array> = {
    member: (g) =>
      derive.memberSealingSecret(bytes(text(g.seed)), text(g.user), text(g.workspace), Number(g.seedNumber)),
    labels: (g) => derive.labelsKey(bytes(text(g.key))),
    label: (g) => derive.labelContentKey(bytes(text(g.key)), text(g.label)),
    record: (g) => derive.recordKey(bytes(text(g.key)), text(g.workspace), bytes(text(g.header))),
    "epoch-commit": (g) => derive.epochCommitment(bytes(text(g.key)), text(g.workspace), Number(g.epoch)),
    epoch: (g) => derive.epochWrapKey(bytes(text(g.pair)), text(g.workspace), Number(g.epoch)),
    previous: (g) => derive.previousWrapKey(bytes(text(g.key)), text(g.workspace), Number(g.epoch)),
    presence: (g) => derive.presenceKey(bytes(text(g.key)), text(g.device), Number(g.counter)),
    "own-cells": (g) => derive.ownCellsKey(bytes(text(g.seed)), text(g.user), text(g.workspace)),
    resting: (g) => derive.restingKey(bytes(text(g.seed)), text(g.user), text(g.workspace)),
    invite: (g) => derive.inviteSeed(bytes(text(g.secret))),
  };

  test.each(keys.derivations)("$name", ({ name, given, hkdf, output }) => {
    expect(hex(derivations[name]?.(given) ?? bytes(""))).toBe(output);
    const { secret, salt, info } = hkdf;
    expect(hex(new Uint8Array(hkdfSync("sha256", bytes(secret), bytes(salt), bytes(info), 32)))).toBe(output);
  });

  test("has a vector for every derivation", () => {
    expect(new Set(keys.derivations.map(({ name }) => name))).toEqual(new Set(Object.keys(derivations)));
  });

  test.each(keys.labelIds)("the id of topic $name", ({ key, name, hmac, id }) => {
    expect(derive.labelId(bytes(key), "topic", name)).toBe(id);
    expect(createHmac("sha256", bytes(key)).update(`topic:${name}`).digest("hex")).toBe(hmac);
    expect(hex(fromBase64url(id))).toBe(hmac.slice(0, 32));
  });

  test.each(keys.privateLabels)("the id of a private topic $id", ({ topicKey, key, hmac, id }) => {
    expect(hex(derive.labelsKey(bytes(topicKey)))).toBe(key);
    expect(derive.privateLabel(bytes(topicKey))).toBe(id);
    expect(createHmac("sha256", bytes(key)).update("private:").digest("hex")).toBe(hmac);
    expect(hex(fromBase64url(id))).toBe(hmac.slice(0, 32));
  });

  test("the key of a pair, as nacl.box.before has it", async () => {
    for (const { secretA, publicA, secretB, publicB, shared, pair } of keys.pairKeys) {
      expect(hex(await nodeCurves.sealingPublicKey(bytes(secretA)))).toBe(publicA);
      expect(hex(await derive.pairKey(nodeCurves, bytes(secretA), bytes(publicB)))).toBe(pair);
      expect(hex(await derive.pairKey(nodeCurves, bytes(secretB), bytes(publicA)))).toBe(pair);
      expect(hex(nacl.box.before(bytes(publicB), bytes(secretA)))).toBe(pair);
      expect(hex(nacl.scalarMult(bytes(secretA), bytes(publicB)))).toBe(shared);
    }
  });
});

describe("seal.json", () => {
  const key = bytes(seal.key);

  test.each(seal.bodies)("a body around $json", ({ json, nonce, padded, body }) => {
    expect(hex(sealBody(key, utf8(json), () => bytes(nonce)))).toBe(body);
    expect(fromUtf8(openBody(key, bytes(body)))).toBe(json);
    expect(body).toBe(seal.commitment + nonce + hex(nacl.secretbox(bytes(padded), bytes(nonce), key)));
  });

  test.each(seal.refused)("a body is refused when $why", ({ body }) => {
    expect(codeOf(() => openBody(key, bytes(body)))).toBe("bad_seal");
  });

  test("a key's box", () => {
    for (const box of seal.keyBoxes) {
      expect(hex(wrapKey(bytes(box.wrapKey), bytes(box.key), () => bytes(box.nonce)))).toBe(box.box);
      expect(hex(unwrapKey(bytes(box.wrapKey), bytes(box.box)) ?? bytes(""))).toBe(box.key);
    }
  });
});
