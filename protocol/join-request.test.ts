import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { deviceFields, fixedBytes, pairedDevice, person, type TestDevice } from "#test/person.ts";
import { toBase64url } from "./bytes.ts";
import { idOf } from "./derive.ts";
import { isGenuine, type JoinRequest, joinRequest, joinRequestInput, requestWords } from "./join-request.ts";

const WORKSPACE = idOf(fixedBytes("workspace"));
const CODE = "Ab3dE6gH";

async function request(device?: TestDevice): Promise<JoinRequest> {
  const alice = await person("alice");
  const by = device ?? alice.device;
  const sealing = await nodeCurves.sealingPublicKey(fixedBytes("alice's sealing key"));
  const claim = { user: alice.id, root: toBase64url(alice.root), sealing: toBase64url(sealing) };
  const signature = await nodeCurves.sign(by.seed, joinRequestInput(WORKSPACE, CODE, claim));
  return joinRequest.parse({ ...claim, device: deviceFields(by), signature: toBase64url(signature) });
}

const genuine = (asked: JoinRequest, workspace = WORKSPACE, code = CODE) =>
  isGenuine(nodeCurves, workspace, code, asked);

test("six words stand for a request, the same on every machine", async () => {
  const words = requestWords(WORKSPACE, CODE, await request());
  expect(words).toBe("perfect salmon recipe problem anchor thought");
});

test("another workspace, code, user, root or sealing key has other words", async () => {
  const asked = await request();
  const other = toBase64url(fixedBytes("another key"));
  const all = [
    requestWords(WORKSPACE, CODE, asked),
    requestWords(idOf(fixedBytes("another workspace")), CODE, asked),
    requestWords(WORKSPACE, "ab3dE6gH", asked),
    requestWords(WORKSPACE, CODE, { ...asked, user: idOf(fixedBytes("another user")) }),
    requestWords(WORKSPACE, CODE, { ...asked, root: other }),
    requestWords(WORKSPACE, CODE, { ...asked, sealing: other }),
  ];
  expect(new Set(all).size).toBe(all.length);
});

test("a request is genuine from a device that the root certifies, and from one that such a device has paired", async () => {
  expect(await genuine(await request())).toBe(true);
  const alice = await person("alice");
  const phone = await pairedDevice(alice, alice.device, "phone");
  expect(await genuine(await request(phone))).toBe(true);
});

test("a request whose parts are of different people, or for elsewhere, is not", async () => {
  const asked = await request();
  const mallory = await person("mallory");
  const other = toBase64url(fixedBytes("another key"));
  const changes: Partial<JoinRequest>[] = [
    { sealing: other },
    { root: toBase64url(mallory.root) },
    { user: mallory.id },
    { user: mallory.id, root: toBase64url(mallory.root) },
    { device: deviceFields(mallory.device) },
    { signature: toBase64url(fixedBytes("signature", 64)) },
  ];
  for (const change of changes)
    expect(await genuine({ ...asked, ...change }), JSON.stringify(change)).toBe(false);
  expect(await genuine(asked, idOf(fixedBytes("another workspace")))).toBe(false);
  expect(await genuine(asked, WORKSPACE, "ab3dE6gH")).toBe(false);
});
