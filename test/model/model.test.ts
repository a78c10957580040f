// Three daemons and a broker, whatever happens to them: what was accepted arrives, once, in order, everywhere the same.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createWorld, isRefusal, type Person, type World } from "./world.ts";

const SEEDS = Number(process.env.MODEL_SEEDS ?? 8);
const FIRST_SEED = Number(process.env.MODEL_FIRST_SEED ?? 1);
const STEPS = 60;
const CANARY = "canary-";

type Said = { id: string; by: string; to: string; text: string };
type Shown = { id: string; text: string; from: { name: string } };

/** Everything that was accepted, in the order of its acceptance. */
async function live(world: World, people: readonly Person[]): Promise<Said[]> {
  const { chance, time } = world;
  const said: Said[] = [];
  const pick = <T>(among: readonly T[]): T => among[Math.floor(chance() * among.length)] as T;
  const say = async (person: Person) => {
    const text = `${CANARY}${said.length}`;
    const to = pick(["*", "#deploys", ...people.filter((one) => one !== person).map(({ name }) => name)]);
    try {
      const { id } = await world.ask(person.client().ask("message.send", { to, text, workspace: "acme" }));
      said.push({ id: String(id), by: person.name, to, text });
    } catch (error) {
      // Said while it didn't know the topic yet: it was told so.
      if (!isRefusal(error, "unknown_topic")) throw error;
    }
  };
  const inOrOut = async (person: Person) => {
    const verb = pick(["group.join", "group.leave"]);
    await world.ask(person.client().ask(verb, { group: "backend", workspace: "acme" }));
  };
  for (let step = 0; step < STEPS; step++) {
    const dice = chance();
    const person = pick(people);
    if (dice < 0.7) await say(person);
    else if (dice < 0.8) person.cut();
    else if (dice < 0.87) await world.ask(person.restart());
    else if (dice < 0.9) await world.restartBroker();
    else if (dice < 0.92) await world.backUpBroker();
    else if (dice < 0.93) await world.restoreBroker();
    else if (dice < 0.96) await inOrOut(person);
    else await time.pass(chance() * 5000);
    await time.pass(chance() * 50);
  }
  return said;
}

async function shown(world: World, person: Person, method: string, params: object = {}): Promise<Shown[]> {
  const { messages } = await world.ask(
    person.client().ask(method, { workspace: "acme", limit: 1000, ...params }),
  );
  return messages as Shown[];
}

async function found(world: World): Promise<Person[]> {
  const people = [await world.person("alice"), await world.person("bob"), await world.person("carol")];
  const [owner, ...others] = people as [Person, ...Person[]];
  await world.ask(owner.client().ask("workspace.create", { name: "acme" }));
  for (const other of others) {
    const { url } = await world.ask(owner.client().ask("invite.create", { workspace: "acme" }));
    await world.ask(other.client().ask("invite.accept", { url }));
  }
  await world.ask(owner.client().ask("topic.create", { workspace: "acme", topic: "deploys" }));
  for (const other of others) {
    const joins = async () => {
      try {
        await other.client().ask("topic.join", { workspace: "acme", topic: "deploys" });
        return true;
      } catch (error) {
        if (isRefusal(error, "unknown_topic", "waiting_for_key", "workspace_needed", "unknown_workspace"))
          return false;
        throw error;
      }
    };
    await world.until(joins, `${other.name} in the topic`);
  }
  const knowAll = async () => {
    const lists = await Promise.all(
      people.map((one) => one.client().ask("peer.list", { workspace: "acme" })),
    );
    const names = lists.map(({ peers }) => (peers as { name: string }[]).map(({ name }) => name).toSorted());
    return names.every((list) => list.join() === "alice,bob,carol");
  };
  await world.until(knowAll, "everybody's name");
  return people;
}

async function isQuiet(people: readonly Person[]): Promise<boolean> {
  const states = await Promise.all(people.map((person) => person.client().ask("daemon.status")));
  const all = states.flatMap(
    ({ workspaces }) => workspaces as { link: string; outbox: number; cursor: number }[],
  );
  return all.every(({ link, outbox }) => link === "online" && outbox === 0);
}

/** Whether one is in a group oneself differs. */
function withoutJoined(groups: unknown): object[] {
  return (groups as { name: string; members: object[] }[]).map(({ name, members }) => ({ name, members }));
}

function ids(messages: readonly { id: string }[]): string[] {
  return messages.map(({ id }) => id);
}

test.each(Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i))("seed %i", async (seed) => {
  const world = await createWorld(seed);
  try {
    const people = await found(world);
    const said = await live(world, people);
    await world.until(() => isQuiet(people), "all outboxes to be empty");

    for (const person of people) {
      const mine = said.filter(({ to, by }) => (to === "*" || to === person.name) && by !== person.name);
      const has = async () => (await shown(world, person, "message.inbox")).length >= mine.length;
      await world.until(has, `${person.name}'s inbox`);
      const inbox = await shown(world, person, "message.inbox");
      expect(ids(inbox).toSorted(), "accepted, and there exactly once").toEqual(ids(mine).toSorted());
      const topic = await shown(world, person, "topic.history", { topic: "deploys" });
      const inTopic = said.filter(({ to }) => to === "#deploys");
      expect(ids(topic).toSorted(), "the same in the topic").toEqual(ids(inTopic).toSorted());
      for (const { name } of people) {
        const order = ids(topic.filter(({ from }) => from.name === name));
        expect(order, "in the order in which one said it").toEqual(
          ids(inTopic.filter(({ by }) => by === name)),
        );
      }
      const { workspaces } = await world.ask(person.client().ask("audit.verify", { workspace: "acme" }));
      const [verified] = workspaces as { ok: boolean; findings: { type: string }[] }[];
      // A log that was restored is told, and no lie.
      const lies = verified?.findings.filter(({ type }) => type !== "restored");
      expect({ ok: verified?.ok, lies }, "and all signatures and numbers hold").toEqual({
        ok: true,
        lies: [],
      });
    }
    const topics = [];
    for (const person of people)
      topics.push(ids(await shown(world, person, "topic.history", { topic: "deploys" })));
    expect(new Set(topics.map((one) => one.join())).size, "one order for all").toBe(1);

    const groups = [];
    for (const person of people) groups.push((await world.ask(person.client().ask("group.list", {}))).groups);
    expect(groups[1], "the same values everywhere").toMatchObject(withoutJoined(groups[0]));
    expect(groups[2]).toMatchObject(withoutJoined(groups[0]));

    const isDelivered = async () => {
      for (const { id, by, to } of said.filter(({ to }) => !/^[*#]/.test(to))) {
        const sender = people.find(({ name }) => name === by);
        const { receipts } = (await sender?.client().ask("message.status", { id })) ?? {};
        const states = (receipts as { state: string; by: string | null }[]).map(
          (one) => `${one.state} ${one.by}`,
        );
        if (!states.includes(`delivered ${to}`)) return false;
      }
      return true;
    };
    await world.until(isDelivered, "every receipt");
    for (const suffix of ["", "-wal"]) {
      expect(readFileSync(world.brokerFile + suffix).includes(CANARY), "nothing readable at the broker").toBe(
        false,
      );
    }
  } finally {
    await world.end();
  }
});
