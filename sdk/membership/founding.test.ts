import { expect, test } from "vitest";
import { CALLER, createMesh, type Frame } from "#test/mesh.ts";

const isFrame = (frame: Frame, type: string) => typeof frame === "string" && JSON.parse(frame).type === type;

test("an invite that is wanted while the workspace is still being founded is made once it is", async () => {
  const mesh = await createMesh();
  const alice = await mesh.person("alice");
  const held: Frame[] = [];
  let invited: Promise<{ url: string }> | null = null;
  alice.toBroker = (frame) => {
    // The first record is the genesis: the link may do nothing else yet.
    if (typeof frame !== "string" && !invited)
      invited = Promise.resolve(alice.handlers.invite.create({}, CALLER, () => {}));
    return [frame];
  };
  // And stays like that for another heartbeat, as far as alice hears.
  alice.toDevice = (frame) => {
    if (isFrame(frame, "ack")) {
      held.push(frame);
      return [];
    }
    if (!isFrame(frame, "heartbeat") || held.length === 0) return [frame];
    alice.toDevice = (later) => [later];
    return [...held, frame];
  };
  await alice.handlers.workspace.create({ name: "acme" }, CALLER, () => {});
  await alice.until(() => invited !== null, "the genesis to leave");
  expect(await invited).toMatchObject({ uses: 1 });
});
