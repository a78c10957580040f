/** A person's claudemesh on this device: the account, all of its workspaces, and the rule which one a verb means. */
import { errorShape, type MeshError } from "#protocol/errors.ts";
import type { SessionFace } from "#protocol/features/member.ts";
import type { Database } from "#protocol/ports.ts";
import { type Account, openAccountDatabase } from "./account/account.ts";
import { fetchSeeds } from "./account/devices.ts";
import { createErrands } from "./account/errands.ts";
import { learnFormer } from "./account/former.ts";
import { createPerson, type Person } from "./account/person.ts";
import { renewSeed } from "./account/renewal.ts";
import { type AccountSync, createAccountSync } from "./account/sync.ts";
import type { Happening } from "./context.ts";
import type { Feature } from "./feature.ts";
import { type AskingToJoin, createAskingToJoin } from "./membership/asking.ts";
import type { InviteSecret } from "./membership/invite.ts";
import type { PeerPorts } from "./ports.ts";
import type { Answering } from "./presence/self.ts";
import { choose, requireShared } from "./which-workspace.ts";
import type { Workspace } from "./workspace.ts";
import { createWorkspaces } from "./workspaces.ts";

export type Opened = { slug: string; used: boolean; workspace: Workspace };

/** A workspace that couldn't be opened, and why: it waits for a repair and keeps no other from working. */
export type Broken = { id: string; slug: string; why: MeshError };

/** Who asks: the session that a client speaks for, and when it is gone. */
export type Caller = { session: CallingSession | null; ended(run: () => void): void };

/** `names`: all that it has had; messages may still be addressed to an old one. */
export type CallingSession = { id: string; name: string; names: readonly string[] };

export type Peer = {
  /** @throws MeshError logged_out */
  readonly account: Account;
  person: Person;
  ports: PeerPorts;
  host: string;
  now(): number;
  /** Sessions attached to this device, the last active first. */
  sessions(): readonly SessionFace[];
  setSessions(sessions: readonly SessionFace[]): void;
  /** A session of this device did something: this is where its person is at work. */
  sessionActive(): void;
  /** Names of this device's sessions, past ones too. */
  knownSessionNames(): string[];
  /** Names that this device's sessions had, each with the one that it forwards to. */
  forwardedSessions(): readonly (SessionFace & { forwards: string })[];
  database: Database;
  opened(): readonly Opened[];
  broken(): readonly Broken[];
  /** All workspaces, or the one named. @throws MeshError unknown_workspace */
  readable(selector: string | undefined): readonly Opened[];
  /** The one workspace that a write goes to. @throws MeshError unknown_workspace, workspace_needed, or what `resolves` throws */
  writable(selector: string | undefined, resolves?: (workspace: Workspace) => unknown): Opened;
  /** @throws MeshError conflict */
  create(name: string, broker: string | null): Promise<Opened>;
  /** Opens a workspace that this account is to join; without an invite, one that it is in by another device. */
  add(workspace: string, broker: string, invite: InviteSecret | null): Promise<Opened>;
  remove(opened: Opened): Promise<void>;
  /** Invites that came by e-mail, until somebody let us in. */
  asking: AskingToJoin;
  /** Counts a workspace among the broken from now on: its database has failed. */
  setAside(id: string, why: MeshError): Promise<void>;
  use(opened: Opened): void;
  /** Gives a workspace another name on this machine. @throws MeshError bad_data, conflict, refused */
  rename(opened: Opened, name: string): void;
  /** Gives a workspace whose slug is provisional its own name. */
  settleSlug(opened: Opened, name: string): void;
  /** Opens all workspaces anew: the account's keys are others now. */
  reopen(): Promise<void>;
  /** Takes in what the person's other machines have written into the account document. */
  follow(): Promise<void>;
  sync: AccountSync;
  /**
   * Revokes devices and gives the person a new seed. `waiting`: slugs of workspaces that will hear of it when their broker
   * can be reached. @throws MeshError offline, conflict
   */
  renewSeed(
    root: Uint8Array,
    revoke: readonly string[],
  ): Promise<{ fallen: readonly string[]; waiting: string[] }>;
  /** Leaves nothing of any workspace on this machine. */
  discardAll(): Promise<void>;
  /** From now on a workspace of this member alone is kept at another broker. */
  move(opened: Opened, broker: string): Promise<void>;
  /** The workspace that is called so gets another name. */
  makeRoomFor(slug: string): void;
  /** Tells the person's other machines of all workspaces that are here. */
  remember(): void;
  listen(listener: (where: Opened, happening: Happening) => void): () => void;
  start(): void;
  stop(): Promise<void>;
};

/** What a peer can: `sdk/registry.ts` lists it. */
export type Abilities = {
  features: readonly Feature[];
  /** Called with everything that happens in a workspace, after it is durable. */
  reactions: readonly ((peer: Peer) => (where: Opened, happening: Happening) => void)[];
};

export async function createPeer(
  ports: PeerPorts,
  options: { name: string; host: string; answering?: Answering },
  { features, reactions }: Abilities,
): Promise<Peer> {
  const database = openAccountDatabase(ports);
  const person = await createPerson(ports, database, options.name);
  const { document } = person;
  const listeners = new Set<(where: Opened, happening: Happening) => void>();
  let sessions: readonly SessionFace[] = [];

  const hear = (where: Opened, happening: Happening) => {
    if (happening.type === "link" && happening.state === "online") runErrands(where);
    for (const react of reacts) react(where, happening);
    for (const listener of listeners) listener(where, happening);
  };

  const workspaces = createWorkspaces(ports, database, person, features, {
    hear,
    sessions: () => sessions,
    answering: options.answering ?? (() => undefined),
  });
  const { opened, broken } = workspaces;
  const asking = createAskingToJoin(ports, person, database, workspaces.add);

  const sync = createAccountSync({
    ports,
    database,
    person,
    merged: () => follow(),
    async fetchSeed(link) {
      const renewed = await fetchSeeds(ports, person.account(), link);
      if (!renewed) return false;
      person.adopt(renewed);
      await seedsChanged();
      return true;
    },
  });
  const errands = createErrands(ports, database, person);

  /** What waited for a newer seed is opened. */
  const seedsChanged = () => Promise.all(opened.map(({ workspace }) => workspace.seedsChanged()));

  /** True when all is said there; what isn't stays for the next time that its broker is there. */
  const runErrands = (where: Opened): Promise<boolean> =>
    errands.run(where).then(
      () => true,
      (error) => {
        const { code } = errorShape(error);
        ports.log.warn({ workspace: where.workspace.id, code }, "an entry waits for its workspace's broker");
        return false;
      },
    );

  const follow = async () => {
    const name = document.get("name")?.name;
    if (name && name !== person.account().name) {
      person.rename(name);
      ports.renamed?.(name);
      for (const one of opened) hear(one, { type: "key" });
    }
    if (learnFormer(ports, person)) await seedsChanged();
    await workspaces.follow();
  };

  const sessionRows = (where = "1") => database.sql(`SELECT * FROM sessions WHERE ${where}`).all();

  const peer: Peer = {
    get account() {
      return person.account();
    },
    person,
    sync,
    ports,
    host: options.host,
    now: ports.clock.now,
    database,
    sessions: () => sessions,
    setSessions(next) {
      sessions = next;
      for (const one of opened) {
        one.workspace.presence.show();
        hear(one, { type: "sessions" });
      }
    },
    sessionActive() {
      for (const one of opened) hear(one, { type: "active" });
    },
    knownSessionNames: () => sessionRows().map((row) => String(row.name)),
    forwardedSessions: () =>
      sessionRows("forwards IS NOT NULL").map((row) => ({
        id: String(row.id),
        name: String(row.name),
        type: "other",
        status: "idle",
        summary: null,
        cwd: null,
        host: options.host,
        repo: null,
        branch: null,
        model: null,
        stats: null,
        forwards: String(row.forwards),
      })),
    opened: () => opened,
    broken: () => broken,
    readable(selector) {
      person.account();
      return selector === undefined ? opened : [workspaces.byName(selector)];
    },
    writable(selector, resolves) {
      person.account();
      return selector === undefined ? choose(opened, resolves) : workspaces.byName(selector);
    },
    create: workspaces.create,
    add: workspaces.add,
    remove: workspaces.remove,
    asking,
    setAside: workspaces.setAside,
    use: workspaces.use,
    rename(one, name) {
      requireShared(one, "keeps its name");
      workspaces.rename(one, name);
    },
    settleSlug: workspaces.settleSlug,
    async renewSeed(root, revoke) {
      const ids = [...opened.map(({ workspace }) => workspace.id), ...broken.map(({ id }) => id)];
      const fallen = await renewSeed({ ports, person, sync, errands }, root, ids, revoke);
      await seedsChanged();
      await Promise.all(opened.filter(({ workspace }) => workspace.link() === "online").map(runErrands));
      const waiting = errands.waiting();
      const slugs = [...opened.map(({ slug, workspace: { id } }) => ({ id, slug })), ...broken]
        .filter(({ id }) => waiting.has(id))
        .map(({ slug }) => slug);
      return { fallen, waiting: slugs };
    },
    move: workspaces.move,
    makeRoomFor: workspaces.makeRoomFor,
    remember: workspaces.rememberAll,
    reopen: workspaces.reopen,
    async discardAll() {
      asking.forget();
      await workspaces.discardAll();
    },
    follow,
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start() {
      workspaces.start();
      asking.start();
      sync.start();
    },
    async stop() {
      asking.stop();
      sync.stop();
      await workspaces.stop();
      database.close();
    },
  };
  const reacts = reactions.map((make) => make(peer));
  if (!person.isLoggedOut()) document.set("name", "", { name: options.name });
  await workspaces.openAll();
  return peer;
}
