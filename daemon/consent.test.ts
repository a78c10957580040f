import { expect, test } from "vitest";
import type { Approval, Decision } from "#protocol/features/approval.ts";
import { FREE, type MethodSchema } from "#protocol/method.ts";
import { type Handlers, methods } from "#protocol/registry.ts";
import type { SocketHello } from "#protocol/socket.ts";
import type { Caller, Opened } from "#sdk/peer.ts";
import { createVirtualTime } from "#test/virtual-time.ts";
import { createApprovals } from "./approvals.ts";
import { createConsent, inWords } from "./consent.ts";
import { createDispatch } from "./dispatch.ts";

const VERSION = "1.0.0";
const TERMINAL: SocketHello = { client: "cli", version: VERSION };
const SESSION: SocketHello = { client: "cli", version: VERSION, session: "s-1", inside: true };
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A daemon's door whose handlers write down what they did, and as whom. */
function door() {
  const { clock, timers, pass } = createVirtualTime();
  let used = "acme";
  const decisions: Decision[] = [];
  const done: { method: string; params: unknown; as: string | null }[] = [];
  const handlers = Object.fromEntries(
    Object.entries(methods).map(([noun, verbs]) => [
      noun,
      Object.fromEntries(
        Object.keys(verbs).map((verb) => [
          verb,
          (params: unknown, { session }: Caller) => {
            done.push({ method: `${noun}.${verb}`, params, as: session?.name ?? null });
            return { answered: true };
          },
        ]),
      ),
    ]),
  );
  const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const approvals = createApprovals({ clock, timers, random });
  // Of a workspace only its slug and id are looked at.
  const writable = (name = used) => ({ slug: name, workspace: { id: `id of ${name}` } }) as Opened;
  const log = { append: (one: Decision) => decisions.push(one) > 0, newest: () => decisions };
  const consent = createConsent({ now: clock.now, writable }, approvals, log, () => "desk");
  const answer = createDispatch({
    handlers: handlers as unknown as Handlers<Caller>,
    version: VERSION,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    session: (id) => ({ id, name: "payments", names: ["payments"] }),
    consent,
    async changed() {},
    isStopping: () => false,
  });
  return {
    approvals,
    done,
    pass,
    use: (name: string) => {
      used = name;
    },
    decided: () => decisions.map(({ who, method, decision, by }) => [who, method, decision, by]),
    ask(hello: SocketHello, method: string, params: unknown = {}) {
      const held: Approval[] = [];
      const endings: (() => void)[] = [];
      const wire = {
        emit() {},
        held: (approval: Approval) => void held.push(approval),
        ended: (run: () => void) => void endings.push(run),
        openStream: () => () => {},
      };
      const answered = answer(hello, { id: 1, method, params }, wire);
      return {
        answered,
        held,
        hangUp: () => {
          for (const run of endings) run();
        },
      };
    },
  };
}

const TABLE: readonly (readonly [string, MethodSchema])[] = Object.entries(methods).flatMap(([noun, verbs]) =>
  Object.entries<MethodSchema>(verbs).map(([verb, schema]) => [`${noun}.${verb}`, schema] as const),
);

test("what each method is: nothing comes to be free for sessions by accident", () => {
  const of = (scope: MethodSchema["scope"]) =>
    TABLE.filter(([, schema]) => schema.scope === scope).map(([method]) => method);
  expect(of("reach-out")).toEqual([
    "account.backup",
    "device.add",
    "invite.create",
    "invite.approve",
    "peer.grant",
    "peer.unblock",
    "topic.add",
  ]);
  expect(of("destructive")).toEqual([
    "account.logout",
    "account.migrate",
    "account.rotate",
    "device.revoke",
    "message.drop",
    "workspace.delete",
    "workspace.remove",
    "workspace.leave",
  ]);
  expect(of("write")).toEqual([
    "daemon.selfCheck",
    "device.rename",
    "group.join",
    "group.leave",
    "message.send",
    "message.typing",
    "session.attach",
    "session.posted",
    "session.hook",
    "session.line",
    "session.name",
    "session.summary",
    "session.status",
    "topic.create",
    "topic.remove",
    "topic.join",
    "topic.leave",
    "topic.mute",
    "topic.send",
    "workspace.create",
    "workspace.use",
    "workspace.rename",
  ]);
});

test("a person at a terminal is asked nothing, and it is written down", async () => {
  const { ask, done, decided } = door();
  for (const method of ["invite.create", "daemon.stop"]) {
    expect(await ask(TERMINAL, method).answered).toMatchObject({ result: {} });
  }
  expect(done).toHaveLength(2);
  expect(decided()).toEqual([
    ["person", "invite.create", "allowed", "desk"],
    ["person", "daemon.stop", "allowed", "desk"],
  ]);
});

test.each([
  ["a model's shell", SESSION],
  ["a shell that only says that it is one", { client: "cli", version: VERSION, inside: true }],
  ["an adapter", { client: "adapter", version: VERSION, session: "s-1" }],
  ["whoever speaks for a session", { client: "other", version: VERSION, session: "s-1" }],
] as const)("%s reads and writes freely, and waits for a yes with everything else", async (_, hello) => {
  const { ask, done, approvals } = door();
  expect(await ask(hello, "message.inbox").answered).toMatchObject({ result: {} });
  expect(await ask(hello, "message.typing", { to: "bob" }).answered).toMatchObject({ result: {} });
  done.length = 0;
  for (const method of ["invite.create", "daemon.stop", "account.logout"]) ask(hello, method);
  await settle();
  expect(done).toEqual([]);
  expect(approvals.waiting().map(({ scope }) => scope)).toEqual(["reach-out", "admin", "destructive"]);
});

test("with a yes it runs exactly as it was asked, as that session, and once", async () => {
  const { ask, approvals, done, use, decided } = door();
  const { answered, held } = ask(SESSION, "invite.create", { role: "admin", uses: 3 });
  await settle();
  const [approval] = held;
  expect(approval).toMatchObject({
    state: "waiting",
    verb: "invite create",
    params: { role: "admin", uses: "3" },
    workspace: "acme",
    session: { id: "s-1", name: "payments" },
    device: "desk",
  });
  // What is in use by then makes no difference.
  use("another");
  const id = approval?.id ?? "";
  expect(approvals.decide(id, true, "laptop")).toMatchObject({ state: "approved" });
  expect(await answered).toMatchObject({ result: { answered: true } });
  const params = { role: "admin", uses: 3, workspace: "id of acme" };
  expect(done).toEqual([{ method: "invite.create", params, as: "payments" }]);
  for (const yes of [true, false]) {
    expect(() => approvals.decide(id, yes, "laptop")).toThrow(expect.objectContaining({ code: "not_found" }));
  }
  await settle();
  expect(done).toHaveLength(1);
  expect(decided()).toEqual([["session", "invite.create", "approved", "laptop"]]);
});

test("without a yes it is refused: for a no, for no answer, and for an answer that comes too late", async () => {
  const { ask, approvals, done, pass, decided } = door();
  const denied = ask(SESSION, "invite.create");
  const forgotten = ask({ ...SESSION, patienceMs: 5000 }, "account.logout");
  await settle();
  approvals.decide(denied.held[0]?.id ?? "", false, "desk");
  expect(await denied.answered).toMatchObject({
    error: { code: "refused", message: expect.stringContaining("said no") },
  });
  await pass(4999);
  expect(approvals.waiting()).toHaveLength(1);
  await pass(1);
  expect(await forgotten.answered).toMatchObject({
    error: { code: "refused", message: expect.stringContaining("in time") },
  });
  expect(() => approvals.decide(forgotten.held[0]?.id ?? "", true, "desk")).toThrow();
  expect(done).toEqual([]);
  expect(decided()).toEqual([
    ["session", "invite.create", "denied", "desk"],
    ["session", "account.logout", "expired", null],
  ]);
});

test("who hangs up takes the request along", async () => {
  const { ask, approvals, done, decided } = door();
  const { held, hangUp, answered } = ask(SESSION, "invite.create");
  await settle();
  hangUp();
  expect(approvals.waiting()).toEqual([]);
  expect(() => approvals.decide(held[0]?.id ?? "", true, "desk")).toThrow();
  expect(await answered).toMatchObject({ error: { code: "refused" } });
  expect([done, decided()]).toEqual([[], [["session", "invite.create", "withdrawn", null]]]);
});

test("no session says yes, to itself or another, in whichever mode", async () => {
  const { ask, approvals, done } = door();
  const { held } = ask(SESSION, "invite.create");
  await settle();
  const id = held[0]?.id ?? "";
  for (const session of ["s-1", "s-2"]) {
    for (const method of ["approval.approve", "approval.deny"]) {
      const hello = { ...SESSION, session, mode: "yolo" } as const;
      expect(await ask(hello, method, { id }).answered).toMatchObject({ error: { code: "refused" } });
    }
  }
  expect([approvals.waiting().length, done]).toEqual([1, []]);
});

test("a mode is narrower than a yes: what it leaves out isn't even asked", async () => {
  const { ask, approvals, decided } = door();
  expect(await ask({ ...SESSION, mode: "write" }, "invite.create").answered).toMatchObject({
    error: { code: "refused" },
  });
  expect(approvals.waiting()).toEqual([]);
  expect(decided()).toEqual([["session", "invite.create", "refused", null]]);
});

test("wrong parameters are told at once, and nobody is asked about them", async () => {
  const { ask, approvals } = door();
  expect(await ask(SESSION, "invite.create", { uses: "many" }).answered).toMatchObject({
    error: { code: "usage" },
  });
  expect(approvals.waiting()).toEqual([]);
});

test("what waits is bounded", async () => {
  const { ask } = door();
  for (let i = 0; i < 20; i++) ask(SESSION, "invite.create");
  expect(await ask(SESSION, "invite.create").answered).toMatchObject({ error: { code: "busy" } });
});

test("what is shown of a request names its secrets, and has none of them", () => {
  const shown = TABLE.filter(([, { scope }]) => !FREE.includes(scope)).map(([method, schema]) => {
    const given = Object.keys("shape" in schema.params ? Object(schema.params.shape) : {});
    const words = inWords(schema, Object.fromEntries(given.map((name) => [name, "told"])));
    const hidden = Object.keys(words).filter((name) => words[name] !== "told");
    return [method, hidden.join(" ")];
  });
  expect(Object.fromEntries(shown.filter(([, hidden]) => hidden !== ""))).toEqual({
    "account.register": "passphrase",
    "account.login": "passphrase",
    "account.recover": "recoveryCode passphrase",
    "account.pair": "code",
    "account.passphrase": "passphrase next",
    "account.recoveryCode": "passphrase",
    "account.rotate": "passphrase",
    "account.backup": "passphrase rootPassphrase",
    "account.restore": "file passphrase",
    "device.revoke": "passphrase",
    "invite.accept": "url",
  });
});
