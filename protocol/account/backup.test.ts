// The format against its vectors, and the vectors against other implementations.
import { argon2Sync, createHash, hkdfSync } from "node:crypto";
import nacl from "tweetnacl";
import { expect, test } from "vitest";
import { codeOf } from "#test/code-of.ts";
import { concat, readU32, utf8 } from "../bytes.ts";
import vectors from "../vectors/backup.json" with { type: "json" };
import { backup, openBackup, readBackupFile, sealBackup } from "./backup.ts";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const key = bytes(vectors.key);
const file = bytes(vectors.file);

test("the file opens, byte for byte as another implementation reads it", () => {
  const { salt, box } = readBackupFile(file);
  expect(Buffer.from(salt).toString("hex")).toBe(vectors.salt);
  expect(openBackup(key, { salt, box })).toEqual(vectors.backup);

  const stretched = argon2Sync("argon2id", {
    message: vectors.passphrase,
    nonce: salt,
    parallelism: 1,
    tagLength: 32,
    memory: 64 * 1024,
    passes: 3,
  });
  const derived = hkdfSync("sha256", stretched, "", "claudemesh/1/backup", 32);
  expect(Buffer.from(derived).toString("hex")).toBe(vectors.key);
  expect(Buffer.from(file.subarray(0, 20)).toString()).toBe("claudemesh backup 1\n");
  expect(file.slice(-16)).toEqual(
    new Uint8Array(createHash("sha256").update(file.subarray(0, -16)).digest().subarray(0, 16)),
  );
  const opened = nacl.secretbox.open(box.subarray(40), box.subarray(16, 40), key) ?? new Uint8Array(0);
  const json = Buffer.from(opened.subarray(4, 4 + readU32(opened))).toString();
  expect(JSON.parse(json)).toEqual(vectors.backup);
});

test("it is written anew the same, with the same salt and nonce", () => {
  const nonce = file.slice(20 + 16 + 16, 20 + 16 + 40);
  const value = backup.parse(vectors.backup);
  expect(sealBackup(key, bytes(vectors.salt), value, () => nonce)).toEqual(file);
});

test.each(vectors.refused)("without a passphrase it is told that $why", ({ file: other }) => {
  expect(codeOf(() => readBackupFile(bytes(other)))).toBe("bad_data");
});

test("another passphrase is told apart from damage; so is a newer version", () => {
  const other = key.map((byte) => byte ^ 1);
  expect(codeOf(() => openBackup(other, readBackupFile(file)))).toBe("wrong_passphrase");
  const newer = concat(utf8("claudemesh backup 12\n"), file.subarray(20));
  expect(() => readBackupFile(newer)).toThrow("version 12");
  expect(() => readBackupFile(file.subarray(0, 90))).toThrow("damaged or cut");
});
