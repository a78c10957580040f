// A broker that shows old faces, others' faces, or says signals again.
import { expect, test } from "vitest";
import { decodeFromBroker, type Presence } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { encoded, findings, honest, onFrame, say, signedFace, told } from "#test/lying-broker.ts";
import { createMesh, type Member } from "#test/mesh.ts";

const idOf = ({ peer }: Member) => peer.account.user;
const devOf = ({ peer }: Member) => peer.account.device.id;
const faceAt = (member: Member, of: Member) =>
  member
    .opened()
    .workspace.presence.present()
    .find(({ dev }) => dev === devOf(of));
const noFaces = onFrame("faces", () => []);

async function three() {
  const mesh = await createMesh();
  const [alice, bob, carol] = [
    await mesh.person("alice"),
    await mesh.person("bob"),
    await mesh.person("carol"),
  ];
  await mesh.team(alice, bob, carol);
  // From here on the broker shows bob what it likes.
  bob.toDevice = noFaces;
  const now = Date.now() + 60_000;
  const shows = async (...faces: readonly Presence[]) => say(bob, told(...faces));
  return { mesh, alice, bob, carol, now, shows };
}

const finds = async (member: Member, ...what: readonly string[]) => {
  await member.until(async () => (await findings(member)).length >= what.length, what.join());
  expect(await findings(member)).toEqual(what);
};

test("a face of before is no newer one, nor a sign of life of who has gone", async () => {
  const { alice, bob, now, shows } = await three();
  const old = await signedFace(alice, { counter: now });
  await shows(await signedFace(alice, { counter: now + 1 }));
  await bob.until(() => faceAt(bob, alice)?.counter === now + 1, "alice's face");
  await shows(old);
  await finds(bob, "refused: face: replayed");
  expect(faceAt(bob, alice)?.counter).toBe(now + 1);

  const absent = [{ dev: devOf(alice), lastSeen: now }];
  say(bob, encoded({ type: "faces", version: 2 ** 40, faces: [], absent, more: false }));
  await bob.until(() => faceAt(bob, alice) === undefined, "alice to be gone");
  await shows(
    old,
    await signedFace(alice, { counter: now + 1 }),
    await signedFace(alice, { counter: now + 2 }),
  );
  await bob.until(() => faceAt(bob, alice)?.counter === now + 2, "alice to be back");
  await finds(bob, "refused: face: replayed");
});

test("a face that names another member, or was changed, is refused", async () => {
  const { alice, bob, carol, now, shows } = await three();
  const carols = await signedFace(carol, { counter: now });
  await shows({ ...carols, member: idOf(alice) });
  await finds(bob, "refused: face: bad_signature");
  await shows({ ...(await signedFace(alice, { counter: now })), counter: now + 7 });
  await shows(await signedFace(carol, { counter: now + 8 }));
  await bob.until(() => faceAt(bob, carol)?.counter === now + 8, "carol's own face");
  expect(faceAt(bob, alice)?.counter).not.toBe(now + 7);
});

test("a member who signs a face in another's name is named", async () => {
  const { alice, bob, carol, now, shows } = await three();
  const { peer } = carol;
  const account = { ...peer.account, user: idOf(alice) };
  const posing: Member = { ...carol, peer: { ...peer, account } };
  await shows(await signedFace(posing, { counter: now }));
  await finds(bob, "refused: face: wrong_author");
});

test("a face of who isn't in the workspace is none", async () => {
  const { mesh, alice, bob, now, shows } = await three();
  const outside = await mesh.person("outside");
  const { peer } = outside;
  await shows(await signedFace({ ...alice, peer }, { counter: now }));
  await shows(await signedFace(alice, { counter: now }));
  await bob.until(() => faceAt(bob, alice)?.counter === now, "alice's face");
  expect(faceAt(bob, outside)).toBeUndefined();
});

function words(member: Member): string[] {
  const heard: string[] = [];
  member.peer.listen((_, happening) => {
    if (happening.type === "told") heard.push(happening.told.to);
  });
  return heard;
}

test("signals that are said again, changed, or in another's name are not heard, and named", async () => {
  const { alice, bob, carol, now, shows } = await three();
  await shows(await signedFace(alice, { counter: now }));
  await bob.until(() => faceAt(bob, alice)?.counter === now, "alice's face");
  const heard = words(bob);
  const { signals } = alice.opened().workspace;
  let first = "";
  bob.toDevice = (frame) => {
    const signal = typeof frame === "string" ? decodeFromBroker(frame) : null;
    if (typeof frame !== "string" || signal?.type !== "signal") return noFaces(frame);
    if (first === "") {
      first = frame;
      return [frame];
    }
    return [
      first,
      encoded({ ...signal, number: signal.number + 100 }),
      encoded({ ...signal, member: idOf(carol) }),
      frame,
    ];
  };
  signals.tell(EVERYONE, { kind: "typing", to: "first" });
  await bob.until(() => heard.includes("first"), "the first");
  signals.tell(EVERYONE, { kind: "typing", to: "second" });
  await bob.until(() => heard.includes("second"), "the second");
  expect(heard).toEqual(["first", "second"]);
  bob.toDevice = honest;
  expect((await findings(bob)).toSorted()).toEqual([
    "refused: signal: bad_signature",
    "refused: signal: bad_signature",
    "refused: signal: replayed",
  ]);
});
