import { nodeStretch } from "#adapters/stretch.ts";
import { type Backup, backup, backupKey, sealBackup } from "#protocol/account/backup.ts";
import { normalPassphrase } from "#protocol/account/keys.ts";
import { concat, toBase64url, utf8 } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/hash.ts";
import { fixedBytes, fixedRandom, person } from "../person.ts";
import { hex } from "./hex.ts";

const PASSPHRASE = "correct horse battery staple";

export async function backupVectors() {
  const [alice, workspace] = [await person("alice"), toBase64url(fixedBytes("workspace", 16))];
  const value: Backup = backup.parse({
    type: "backup",
    made: 1_750_000_000_000,
    name: "alice",
    rootKey: toBase64url(alice.root),
    root: toBase64url(alice.rootSeed),
    seeds: [{ number: 0, secret: toBase64url(alice.seed) }],
    formerly: [],
    home: null,
    entries: [{ key: "name/", at: 1_750_000_000_000, value: '{"name":"alice"}' }],
    workspaces: [{ id: workspace, slug: "acme", broker: "https://mesh.example" }],
  });
  const salt = fixedBytes("salt", 16);
  const key = backupKey(await nodeStretch(normalPassphrase(PASSPHRASE), salt));
  const file = sealBackup(key, salt, value, fixedRandom("backup"));
  return {
    about:
      'A backup: "claudemesh backup 1\\n", a 16-byte salt, a sealed body as in seal.json, and the first 16 bytes of the SHA-256 of all that. `key`: HKDF-SHA256 (no salt, info "claudemesh/1/backup") of Argon2id of the passphrase (trimmed, NFKC, UTF-8) with that salt: 64 MiB, 3 passes, 1 lane, 32 bytes. Binary values are in hex. `refused` files are no backups, whatever the passphrase.',
    passphrase: PASSPHRASE,
    salt: hex(salt),
    key: hex(key),
    backup: value,
    file: hex(file),
    refused: refused(file).map(([why, bytes]) => ({ why, file: hex(bytes) })),
  };
}

function refused(file: Uint8Array): [string, Uint8Array][] {
  const flipped = (at: number) => file.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const checked = (covered: Uint8Array) => concat(covered, sha256(covered).subarray(0, 16));
  return [
    ["it is empty", new Uint8Array(0)],
    ["it is something else", checked(utf8("another file\n"))],
    ["it is of a newer version", checked(concat(utf8("claudemesh backup 2\n"), file.subarray(20, -16)))],
    ["it is cut in the first line", file.subarray(0, 12)],
    ["it is cut in the salt", file.subarray(0, 25)],
    ["it is cut in the box", file.subarray(0, 200)],
    ["its last byte is missing", file.subarray(0, -1)],
    ["a bit of the salt is flipped", flipped(22)],
    ["a bit of the box is flipped", flipped(120)],
    ["a bit of the check is flipped", flipped(file.length - 1)],
    ["something is behind it", concat(file, Uint8Array.of(0))],
  ];
}
