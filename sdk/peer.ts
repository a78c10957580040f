/** A person's claudemesh on this device: the account, all of its workspaces, and the rule which one a verb means. */
import { legalName } from "#protocol/derive.ts";
import { errorShape, MeshError } from "#protocol/errors.ts";
import type { SessionFace } from "#protocol/features/member.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import { type Account, loadAccount, openAccountDatabase } from "./account/account.ts";
import type { Happening } from "./context.ts";
import type { Feature } from "./feature.ts";
import { type AskingToJoin, createAskingToJoin } from "./membership/asking.ts";
import { foundWorkspace } from "./membership/found.ts";
import { forgetInvite, type InviteSecret, keepInvite, keptInvite } from "./membership/invite.ts";
import type { PeerPorts } from "./ports.ts";
import { choose, requireShared } from "./which-workspace.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

export type Opened = { slug: string; used: boolean; workspace: Workspace };

/** A workspace that couldn't be opened, and why: it waits for a repair and keeps no other from working. */
export type Broken = { id: string; slug: string; why: MeshError };

/** Who asks: the session that a client speaks for, and when it is gone. */
export type Caller = { session: CallingSession | null; ended(run: () => void): void };

/** `names`: all that it has had; messages may still be addressed to an old one. */
export type CallingSession = { id: string; name: string; names: readonly string[] };

export type Peer = {
  account: Account;
  ports: PeerPorts;
  host: string;
  now(): number;
  /** Sessions attached to this device, the last active first. */
  sessions(): readonly SessionFace[];
  setSessions(sessions: readonly SessionFace[]): void;
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
  /** Opens a workspace that this account is to join. */
  add(workspace: string, broker: string, invite: InviteSecret): Promise<Opened>;
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
  options: { name: string; host: string },
  { features, reactions }: Abilities,
): Promise<Peer> {
  const database = openAccountDatabase(ports);
  const account = await loadAccount(ports, database, options.name);
  const workspaces: Opened[] = [];
  const broken: Broken[] = [];
  const listeners = new Set<(where: Opened, happening: Happening) => void>();
  /** Workspaces whose invite is still kept, with its code. */
  const joining = new Map<string, string>();
  let sessions: readonly SessionFace[] = [];
  let started = false;

  const open = async (row: SqlRow): Promise<Opened> => {
    const membering = {
      id: String(row.id),
      broker: row.broker === null ? null : String(row.broker),
      invite: keptInvite(ports.keychain, row.invite === null ? null : String(row.invite)),
    };
    if (row.invite !== null) joining.set(membering.id, String(row.invite));
    // The workspace tells of itself once it is open, and by then `opened` is made.
    const workspace = await openWorkspace(
      ports,
      account,
      membering,
      features,
      (happening) => hear(opened, happening),
      () => sessions,
    );
    const opened: Opened = { slug: String(row.slug), used: row.used === 1, workspace };
    workspaces.push(opened);
    return opened;
  };

  const openOrNote = async (row: SqlRow): Promise<void> => {
    try {
      await open(row);
    } catch (error) {
      const { id, slug } = { id: String(row.id), slug: String(row.slug) };
      const said = error instanceof MeshError ? error.code : String(error);
      ports.log.error({ workspace: id, error: said }, "a workspace can't be opened");
      broken.push({ id, slug, why: unusable(slug, error) });
    }
  };

  const hear = (where: Opened, happening: Happening) => {
    const { id } = where.workspace;
    if (!where.workspace.isJoining()) forgetJoining(id);
    for (const react of reacts) react(where, happening);
    for (const listener of listeners) listener(where, happening);
  };

  /** The secret goes first: where a crash leaves the code without it, the join counts as over. */
  const forgetJoining = (id: string) => {
    const code = joining.get(id);
    if (code === undefined) return;
    forgetInvite(ports.keychain, code);
    joining.delete(id);
    database.sql("UPDATE workspaces SET invite = NULL WHERE id = ?").run(id);
  };

  const insert = (id: string, slug: string, broker: string | null, invite: InviteSecret | null) => {
    if (invite) keepInvite(ports.keychain, invite);
    database
      .sql(
        `INSERT INTO workspaces (id, slug, broker, invite, unnamed, position)
         VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM workspaces))`,
      )
      .run(id, slug, broker, invite?.code ?? null, invite ? 1 : 0);
    const row = database.sql("SELECT * FROM workspaces WHERE id = ?").get(id);
    if (!row) throw new Error("the row was just inserted");
    return row;
  };

  /** As somebody typed it. @throws MeshError bad_data, conflict */
  const newSlug = (name: string): string => {
    const slug = legalName(name);
    if (slug === "")
      throw new MeshError(
        "bad_data",
        `"${name}" has no letter or digit for a name.`,
        "Use a-z, 0-9, dot, dash.",
      );
    if ([...workspaces, ...broken].some((one) => one.slug === slug)) {
      throw new MeshError("conflict", `You have a workspace "${slug}" already.`, "Give it another name.");
    }
    return slug;
  };

  const freeSlug = (wanted: string) => {
    const taken = new Set([...workspaces, ...broken].map(({ slug }) => slug));
    if (!taken.has(wanted)) return wanted;
    for (let i = 2; ; i++) if (!taken.has(`${wanted}-${i}`)) return `${wanted}-${i}`;
  };

  const begin = (opened: Opened) => {
    if (!started) return;
    opened.workspace.start();
    hear(opened, { type: "key" });
  };

  const byName = (selector: string): Opened => {
    const found = workspaces.filter(({ slug, workspace }) => slug === selector || workspace.id === selector);
    if (found[0]) return found[0];
    const hurt = broken.find(({ slug, id }) => slug === selector || id === selector);
    if (hurt) throw hurt.why;
    const hint = didYouMean(
      selector,
      workspaces.map(({ slug }) => slug),
      "See `claudemesh workspace list`.",
    );
    throw new MeshError("unknown_workspace", `There is no workspace "${selector}" here.`, hint);
  };

  const asking = createAskingToJoin(ports, account, database, (...invited) => peer.add(...invited));
  const peer: Peer = {
    account,
    asking,
    ports,
    host: options.host,
    now: ports.clock.now,
    database,
    sessions: () => sessions,
    setSessions(next) {
      sessions = next;
      for (const opened of workspaces) {
        opened.workspace.presence.show();
        hear(opened, { type: "sessions" });
      }
    },
    knownSessionNames: () =>
      database
        .sql("SELECT name FROM sessions")
        .all()
        .map((row) => String(row.name)),
    opened: () => workspaces,
    broken: () => broken,
    readable: (selector) => (selector === undefined ? workspaces : [byName(selector)]),
    forwardedSessions: () =>
      database
        .sql("SELECT name, id, cwd, forwards FROM sessions WHERE forwards IS NOT NULL")
        .all()
        .map((row) => ({
          id: String(row.id),
          name: String(row.name),
          type: "other",
          status: "idle",
          summary: null,
          cwd: null,
          host: options.host,
          forwards: String(row.forwards),
        })),
    writable: (selector, resolves) =>
      selector === undefined ? choose(workspaces, resolves) : byName(selector),

    async create(name, broker) {
      const slug = newSlug(name);
      const id = await foundWorkspace(ports, account);
      const opened = await open(insert(id, slug, broker, null));
      opened.workspace.putOwn(EVERYONE, "workspace", { kind: "workspace.profile", name: slug });
      begin(opened);
      return opened;
    },
    async add(id, broker, invite) {
      const hurt = broken.find((one) => one.id === id);
      if (hurt) throw hurt.why;
      let known = workspaces.find(({ workspace }) => workspace.id === id);
      if (known && !known.workspace.isJoining() && !known.workspace.wasMember()) {
        // An earlier join that failed while nobody looked.
        await peer.remove(known);
        known = undefined;
      }
      if (known)
        throw new MeshError(
          "conflict",
          `You are in this workspace already: ${known.slug}.`,
          `claudemesh workspace use ${known.slug}`,
        );
      const opened = await open(insert(id, freeSlug(provisionalSlug(id)), broker, invite));
      begin(opened);
      return opened;
    },
    async remove(opened) {
      workspaces.splice(workspaces.indexOf(opened), 1);
      await opened.workspace.stop();
      forgetJoining(opened.workspace.id);
      database.sql("DELETE FROM workspaces WHERE id = ?").run(opened.workspace.id);
      ports.removeDatabase(opened.workspace.id);
    },
    async setAside(id, why) {
      const hurt = workspaces.find(({ workspace }) => workspace.id === id);
      if (!hurt) return;
      workspaces.splice(workspaces.indexOf(hurt), 1);
      broken.push({ id, slug: hurt.slug, why: unusable(hurt.slug, why) });
      ports.log.error(
        { workspace: id, error: why.code },
        "a workspace's database has failed; it is set aside",
      );
      await hurt.workspace.stop();
    },
    use(opened) {
      for (const one of workspaces) one.used = one === opened;
      database.sql("UPDATE workspaces SET used = (id = ?)").run(opened.workspace.id);
    },
    rename(opened, name) {
      requireShared(opened, "keeps its name");
      opened.slug = name === opened.slug ? name : newSlug(name);
      database
        .sql("UPDATE workspaces SET slug = ?, unnamed = 0 WHERE id = ?")
        .run(opened.slug, opened.workspace.id);
    },
    settleSlug(opened, name) {
      const row = database.sql("SELECT unnamed FROM workspaces WHERE id = ?").get(opened.workspace.id);
      if (row?.unnamed !== 1) return;
      opened.slug = freeSlug(name);
      database
        .sql("UPDATE workspaces SET slug = ?, unnamed = 0 WHERE id = ?")
        .run(opened.slug, opened.workspace.id);
      opened.workspace.changed.notify();
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start() {
      started = true;
      for (const opened of workspaces) begin(opened);
      asking.start();
    },
    async stop() {
      asking.stop();
      await Promise.all(workspaces.map(({ workspace }) => workspace.stop()));
      database.close();
    },
  };
  const reacts = reactions.map((make) => make(peer));
  for (const row of database.sql("SELECT * FROM workspaces ORDER BY position").all()) await openOrNote(row);
  return peer;
}

function unusable(slug: string, error: unknown): MeshError {
  const { code, message } = errorShape(error);
  return new MeshError(
    code,
    `The workspace ${slug} can't be used: ${message}`,
    "See what `claudemesh doctor` says of it.",
  );
}

/** Until the workspace's own name is known. */
export function provisionalSlug(id: string): string {
  return `w-${id.slice(0, 6).toLowerCase()}`;
}
