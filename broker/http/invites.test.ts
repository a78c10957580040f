// Requests to join as they come over HTTP, from whoever knows a code.
import { expect, test } from "vitest";
import { nodeCurves } from "#adapters/curves.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { type JoinRequest, joinRequestInput } from "#protocol/join-request.ts";
import { LIMITS } from "#protocol/limits.ts";
import { CALLER, createMesh } from "#test/mesh.ts";
import { deviceFields, fixedBytes, person } from "#test/person.ts";

async function invited() {
  const mesh = await createMesh({ joinRequestsPerHour: 100 }, { mail: { async send() {} } });
  const alice = await mesh.person("alice");
  await mesh.team(alice);
  const { code } = await alice.handlers.invite.create({ email: "bob@example.org" }, CALLER, () => {});
  const path = `/v1/invites/${code}/requests`;
  const ask = (url: string, init: RequestInit = {}) =>
    mesh.broker().http.fetch(new Request(`http://mesh.test${url}`, init));
  return {
    mesh,
    alice,
    code,
    path,
    ask,
    post: (body: unknown, headers = {}) =>
      ask(path, {
        method: "POST",
        headers,
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    async requestOf(name: string): Promise<JoinRequest> {
      const { id, root, device } = await person(name);
      const sealing = await nodeCurves.sealingPublicKey(fixedBytes(`${name}'s sealing key`));
      const claim = { user: id, root: toBase64url(root), sealing: toBase64url(sealing) };
      const input = joinRequestInput(alice.opened().workspace.id, code, claim);
      const signature = toBase64url(await nodeCurves.sign(device.seed, input));
      return { ...claim, device: deviceFields(device), signature };
    },
  };
}

async function told(response: Response) {
  const { error } = JSON.parse(await response.text());
  return [response.status, error?.code];
}

test("a request is taken in, answered with what it is for, and waits", async () => {
  const { alice, path, ask, post, requestOf } = await invited();
  const request = await requestOf("bob");
  const taken = await post(request);
  expect(taken.status).toBe(201);
  expect(taken.headers.get("cache-control")).toBe("no-store");
  expect(await taken.json()).toEqual({ workspace: alice.opened().workspace.id, role: "member" });
  expect(await (await ask(`${path}/${request.user}`)).json()).toEqual({ answer: null });
});

test("what is no request is refused: noise, too much, somebody else's signature, a web page's", async () => {
  const { post, requestOf } = await invited();
  const request = await requestOf("bob");
  const mallorys = await requestOf("mallory");
  expect(await told(await post("noise"))).toEqual([400, "bad_data"]);
  expect(await told(await post({}))).toEqual([400, "bad_data"]);
  expect(await told(await post({ ...request, more: 1 }))).toEqual([400, "bad_data"]);
  expect(await told(await post({ ...request, sealing: "AAAA" }))).toEqual([400, "bad_data"]);
  expect(await told(await post("[".repeat(100)))).toEqual([400, "bad_data"]);
  expect(await told(await post("x".repeat(5000)))).toEqual([413, "too_large"]);
  expect(await told(await post({ ...request, sealing: mallorys.sealing }))).toEqual([403, "bad_signature"]);
  expect(await told(await post({ ...mallorys, user: request.user }))).toEqual([403, "bad_signature"]);
  expect(await told(await post(request, { origin: "https://evil.example" }))).toEqual([403, "not_allowed"]);
});

test("codes and users that aren't there are not found, and repeated nowhere", async () => {
  const { path, ask, requestOf } = await invited();
  const { user } = await requestOf("bob");
  const unknown = ["/v1/invites/AAAAAAAA", "/v1/invites/nocode", "/v1/invites/%2e%2e/requests/x"];
  for (const url of [...unknown, `/v1/invites/AAAAAAAA/requests/${user}`, `${path}/nobody`]) {
    const response = await ask(url);
    expect(response.status, url).toBe(404);
    expect(await response.text()).not.toMatch(/AAAAAAAA|nocode|nobody/);
  }
  expect(await told(await ask(`${path}/${user}`))).toEqual([404, "not_found"]);
});

test("one invite has so many who wait, and who asks again isn't another", async () => {
  const { mesh, post, requestOf } = await invited();
  const names = Array.from({ length: LIMITS.joinRequests }, (_, i) => `newcomer ${i}`);
  for (const name of names) expect((await post(await requestOf(name))).status).toBe(201);
  const over = await post(await requestOf("one more"));
  expect(over.headers.get("retry-after")).toBe("3600");
  expect(await told(over)).toEqual([503, "busy"]);
  expect((await post(await requestOf("newcomer 3"))).status).toBe(201);
  mesh.advance(LIMITS.joinRequestDays * 86_400_000);
  expect(await told(await post(await requestOf("one more")))).toEqual([410, "invite_expired"]);
});
