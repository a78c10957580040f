/**
 * Two devices of one person pair by a code that one shows and the other is told: no passphrase, and the root stays where it
 * is. The new one is certified by the other, and falls with it.
 */
import type { CallParams } from "#protocol/account/api.ts";
import { decodeCode, encodeCode, newCode, PAIRING_CODE } from "#protocol/account/codes.ts";
import { pairingKeys } from "#protocol/account/keys.ts";
import { pairAnswer, pairAsk } from "#protocol/account/pairing.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { pairedInput, verifyCertificate } from "#protocol/certificate.ts";
import { idOf } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { PeerPorts } from "../ports.ts";
import { type Account, accountOf } from "./account.ts";
import { askHome, createHomeLink, entryOf, notRegistered } from "./home.ts";
import { type Identity, requiredIdentity } from "./identity.ts";
import type { Entered } from "./login.ts";

/** How long the code is good: as long as the home broker keeps a place for it. */
export const PAIRING_MS = 2 * 60_000;
const LONGEST_WAIT_MS = 25_000;

export type Paired = { id: string; name: string };

/** Shows a code, and lets in the device that uses it. @throws MeshError not_registered, refused, pairing_over, bad_seal */
export async function offerPairing(
  ports: PeerPorts,
  account: Account,
  show: (code: string, origin: string) => void,
  isGone: () => boolean,
): Promise<Paired> {
  const { device, home, user } = account;
  if (!home) throw notRegistered();
  if (device.via.length >= LIMITS.pairings) throw tooFar();
  const code = newCode(PAIRING_CODE, ports.random);
  const keys = pairingKeys(code);
  show(encodeCode(PAIRING_CODE, code), home.origin);
  const asked = pairAsk.open(
    keys.asks,
    await taken(ports, home.origin, { place: keys.place, slot: "asks" }, isGone),
  );
  const certificate = await ports.curves.sign(device.secret, pairedInput(user, fromBase64url(asked.key)));
  const own = { key: toBase64url(device.key), certificate: toBase64url(device.certificate) };
  const { rootKey, seeds, formerly } = requiredIdentity(ports.keychain);
  const box = pairAnswer.seal(
    keys.answers,
    {
      type: "pair-answer",
      rootKey,
      seeds,
      formerly,
      home,
      device: { key: asked.key, certificate: toBase64url(certificate), via: [own, ...device.via] },
    },
    ports.random,
  );
  await askHome(ports, home.origin, "leave", { place: keys.place, slot: "answers", box });
  return { id: idOf(fromBase64url(asked.key)), name: asked.name };
}

/** Comes in by a code that another device shows. @throws MeshError bad_data, pairing_over, bad_seal, bad_signature */
export async function usePairing(
  ports: PeerPorts,
  origin: string,
  text: string,
  name: string,
  isGone: () => boolean,
): Promise<Entered & { home: Identity["home"] & object }> {
  const { place, asks, answers } = pairingKeys(decodeCode(PAIRING_CODE, text));
  const secret = ports.random(32);
  const key = toBase64url(await ports.curves.signingPublicKey(secret));
  const box = pairAsk.seal(asks, { type: "pair-ask", key, name }, ports.random);
  await askHome(ports, origin, "leave", { place, slot: "asks", box });
  const { type: _, ...told } = pairAnswer.open(
    answers,
    await taken(ports, origin, { place, slot: "answers" }, isGone),
  );
  const root = fromBase64url(told.rootKey);
  await verifyCertificate(ports.curves, idOf(root), root, told.device);
  if (told.device.key !== key)
    throw new MeshError("bad_signature", "The other device certified another one.", "Begin with a new code.");
  const identity: Identity = { type: "identity", root: null, secret: toBase64url(secret), ...told };
  const account = accountOf(identity, "");
  const link = createHomeLink(ports, account, told.home.origin);
  await link.enter(await entryOf(ports, account, told.home.origin));
  return { identity, link, root: null, home: told.home };
}

/** Waits for a slot as long as the code is good. */
async function taken(
  ports: PeerPorts,
  origin: string,
  slot: Pick<CallParams<"take">, "place" | "slot">,
  isGone: () => boolean,
): Promise<string> {
  const until = ports.clock.now() + PAIRING_MS;
  for (;;) {
    const waitMs = Math.min(LONGEST_WAIT_MS, Math.floor(until - ports.clock.now()));
    if (waitMs <= 0 || isGone()) throw over();
    const { box } = await askHome(ports, origin, "take", { ...slot, waitMs }, undefined, waitMs);
    if (box !== null) return box;
  }
}

function over(): MeshError {
  return new MeshError("pairing_over", "Nobody used the code in its two minutes.", "Begin with a new code.");
}

function tooFar(): MeshError {
  return new MeshError(
    "refused",
    `This device was paired by one that was paired, ${LIMITS.pairings} times over.`,
    "Show the code on a device that came in by the passphrase, or log in by it there.",
  );
}
