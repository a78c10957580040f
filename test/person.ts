/** People for tests: every key follows from the name, so a failure repeats byte for byte. */
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url, u32, utf8 } from "#protocol/bytes.ts";
import { type CertifiedDevice, certificateInput, pairedInput } from "#protocol/certificate.ts";
import { idOf, memberSealingSecret } from "#protocol/derive.ts";
import { sha256 } from "#protocol/hash.ts";
import type { Random } from "#protocol/ports.ts";

export type TestDevice = {
  id: string;
  seed: Uint8Array;
  key: Uint8Array;
  certificate: Uint8Array;
  /** Of a paired one, who certified it. */
  via?: CertifiedDevice["via"];
};

export type Person = {
  name: string;
  id: string;
  rootSeed: Uint8Array;
  root: Uint8Array;
  seed: Uint8Array;
  seedNumber: number;
  device: TestDevice;
};

/** Bytes that look random and are the same in every run. */
export function fixedBytes(name: string, length = 32): Uint8Array {
  return fixedRandom(name)(length);
}

/** Randomness for tests: another stream for each name, the same in every run. */
export function fixedRandom(name: string): Random {
  let block = new Uint8Array(0);
  let used = 0;
  let counter = 0;
  const next = () => {
    if (used === block.length) {
      block = new Uint8Array(sha256(utf8(`${name}/${counter++}`)));
      used = 0;
    }
    return block[used++] ?? 0;
  };
  return (length) => Uint8Array.from({ length }, next);
}

export async function person(name: string): Promise<Person> {
  const rootSeed = fixedBytes(`${name}'s root`);
  const root = await nodeCurves.signingPublicKey(rootSeed);
  const owner = { name, id: idOf(root), rootSeed, root, seed: fixedBytes(`${name}'s seed`), seedNumber: 1 };
  return { ...owner, device: await deviceOf(owner, "laptop") };
}

/** A further device of `owner`, certified by the owner's root. */
export async function deviceOf(owner: Omit<Person, "device">, name: string): Promise<TestDevice> {
  const seed = fixedBytes(`${owner.name}'s ${name}`);
  const key = await nodeCurves.signingPublicKey(seed);
  return { id: idOf(key), seed, key, certificate: await certify(owner, key) };
}

/** A further device of `owner`, certified by the device `by`. */
export async function pairedDevice(owner: Person, by: TestDevice, name: string): Promise<TestDevice> {
  const { id, seed, key } = await deviceOf(owner, name);
  const certificate = await nodeCurves.sign(by.seed, pairedInput(owner.id, key));
  const { via, ...first } = deviceFields(by);
  return { id, seed, key, certificate, via: [first, ...via] };
}

/** The same person after a rotation. */
export function withSeed(who: Person, seedNumber: number): Person {
  if (seedNumber === who.seedNumber) return who;
  return { ...who, seed: fixedBytes(`${who.name}'s seed ${seedNumber}`), seedNumber };
}

/** The root's signature over somebody's device key. */
export function certify(owner: Pick<Person, "id" | "rootSeed">, deviceKey: Uint8Array): Promise<Uint8Array> {
  return nodeCurves.sign(owner.rootSeed, certificateInput(owner.id, deviceKey));
}

/** X25519 secret and public key of `who` in a workspace. */
export async function sealingKeys(who: Person, workspace: string) {
  const secret = memberSealingSecret(who.seed, who.id, workspace, who.seedNumber);
  return { secret, publicKey: await nodeCurves.sealingPublicKey(secret) };
}

/** What a chain entry says of a device. */
export function deviceFields({ key, certificate, via = [] }: TestDevice) {
  return { key: toBase64url(key), certificate: toBase64url(certificate), via: [...via] };
}

/** A UUIDv7 with this number in its time: `recordId(1)`, `recordId(2)`, … */
export function recordId(number: number): string {
  const hex = Array.from(u32(number), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `0190${hex.slice(0, 4)}-${hex.slice(4)}-7000-8000-000000000000`;
}
