/** The workspaces of this device's account: which there are, what they are called here, opened and closed. */
import { legalName } from "#protocol/derive.ts";
import { errorShape, MeshError } from "#protocol/errors.ts";
import type { SessionFace } from "#protocol/features/member.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Database, SqlRow } from "#protocol/ports.ts";
import type { Person } from "./account/person.ts";
import type { Happening } from "./context.ts";
import type { Feature } from "./feature.ts";
import { foundWorkspace } from "./membership/found.ts";
import { forgetInvite, type InviteSecret, keepInvite, keptInvite } from "./membership/invite.ts";
import type { Broken, Opened } from "./peer.ts";
import type { PeerPorts } from "./ports.ts";
import type { Answering } from "./presence/self.ts";
import { openWorkspace } from "./workspace.ts";

export type Workspaces = ReturnType<typeof createWorkspaces>;

type Owner = {
  hear(where: Opened, happening: Happening): void;
  sessions(): readonly SessionFace[];
  answering: Answering;
};

export function createWorkspaces(
  ports: PeerPorts,
  database: Database,
  person: Person,
  features: readonly Feature[],
  owner: Owner,
) {
  const { document } = person;
  const opened: Opened[] = [];
  const broken: Broken[] = [];
  /** Those whose invite is still kept, with its code. */
  const joining = new Map<string, string>();
  let started = false;

  const rowOf = (id: string): SqlRow => {
    const row = database.sql("SELECT * FROM workspaces WHERE id = ?").get(id);
    if (row) return row;
    throw new Error("a workspace that is here has a row");
  };

  const insert = (
    id: string,
    slug: string,
    broker: string | null,
    { invite = null, named = true }: { invite?: InviteSecret | null; named?: boolean } = {},
  ) => {
    if (invite) keepInvite(ports.keychain, invite);
    database
      .sql(
        `INSERT INTO workspaces (id, slug, broker, invite, unnamed, position)
         VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM workspaces))`,
      )
      .run(id, slug, broker, invite?.code ?? null, named ? 0 : 1);
    return rowOf(id);
  };

  const callIt = (one: Opened, slug: string) => {
    one.slug = slug;
    database.sql("UPDATE workspaces SET slug = ?, unnamed = 0 WHERE id = ?").run(slug, one.workspace.id);
  };

  /** On the person's other machines too, from now on. */
  const remember = ({ slug, workspace }: Opened) => {
    if (workspace.broker) document.set("workspace", workspace.id, { slug, broker: workspace.broker });
  };

  const hear = (where: Opened, happening: Happening) => {
    const { id } = where.workspace;
    if (joining.has(id) && !where.workspace.isJoining()) {
      forgetJoining(id);
      if (!where.workspace.trouble()) remember(where);
    }
    owner.hear(where, happening);
  };

  /** The secret goes first: where a crash leaves the code without it, the join counts as over. */
  const forgetJoining = (id: string) => {
    const code = joining.get(id);
    if (code === undefined) return;
    forgetInvite(ports.keychain, code);
    joining.delete(id);
    database.sql("UPDATE workspaces SET invite = NULL WHERE id = ?").run(id);
  };

  const open = async (row: SqlRow): Promise<Opened> => {
    const membering = {
      id: String(row.id),
      broker: row.broker === null ? null : String(row.broker),
      invite: keptInvite(ports.keychain, row.invite === null ? null : String(row.invite)),
    };
    if (row.invite !== null) joining.set(membering.id, String(row.invite));
    // The workspace tells of itself once it is open, and by then `one` is made.
    const workspace = await openWorkspace(
      ports,
      person.account(),
      membering,
      features,
      (happening) => hear(one, happening),
      owner.sessions,
      document,
      owner.answering,
    );
    const one: Opened = { slug: String(row.slug), used: row.used === 1, workspace };
    opened.push(one);
    return one;
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

  const begin = (one: Opened) => {
    if (!started) return;
    one.workspace.start();
    hear(one, { type: "key" });
  };

  const isTaken = (slug: string) => [...opened, ...broken].some((one) => one.slug === slug);

  /** As somebody typed it. @throws MeshError bad_data, conflict */
  const newSlug = (name: string): string => {
    const slug = legalName(name);
    if (slug === "")
      throw new MeshError(
        "bad_data",
        `"${name}" has no letter or digit for a name.`,
        "Use a-z, 0-9, dot, dash.",
      );
    if (isTaken(slug)) {
      throw new MeshError("conflict", `You have a workspace "${slug}" already.`, "Give it another name.");
    }
    return slug;
  };

  const freeSlug = (wanted: string) => {
    if (!isTaken(wanted)) return wanted;
    for (let i = 2; ; i++) if (!isTaken(`${wanted}-${i}`)) return `${wanted}-${i}`;
  };

  const openAll = async () => {
    if (person.isLoggedOut()) return;
    for (const row of database.sql("SELECT * FROM workspaces ORDER BY position").all()) await openOrNote(row);
    for (const one of opened) begin(one);
  };

  /** Not on the person's other machines. */
  const discard = async (one: Opened) => {
    opened.splice(opened.indexOf(one), 1);
    await one.workspace.stop();
    forgetJoining(one.workspace.id);
    database.sql("DELETE FROM workspaces WHERE id = ?").run(one.workspace.id);
    ports.removeDatabase(one.workspace.id);
  };

  const mark = (id: string) => {
    for (const one of opened) one.used = one.workspace.id === id;
    database.sql("UPDATE workspaces SET used = (id = ?)").run(id);
  };

  const stop = () => Promise.all(opened.map(({ workspace }) => workspace.stop()));

  return {
    opened: opened as readonly Opened[],
    broken: broken as readonly Broken[],
    openAll,
    /** @throws MeshError unknown_workspace */
    byName(selector: string): Opened {
      const found = opened.find(({ slug, workspace }) => slug === selector || workspace.id === selector);
      if (found) return found;
      const hurt = broken.find(({ slug, id }) => slug === selector || id === selector);
      if (hurt) throw hurt.why;
      const slugs = opened.map(({ slug }) => slug);
      const hint = didYouMean(selector, slugs, "See `claudemesh workspace list`.");
      throw new MeshError("unknown_workspace", `There is no workspace "${selector}" here.`, hint);
    },
    async create(name: string, broker: string | null): Promise<Opened> {
      const slug = newSlug(name);
      const id = await foundWorkspace(ports, person.account());
      const one = await open(insert(id, slug, broker));
      one.workspace.putOwn(EVERYONE, "workspace", { kind: "workspace.profile", name: slug });
      remember(one);
      begin(one);
      return one;
    },
    async add(id: string, broker: string, invite: InviteSecret | null): Promise<Opened> {
      const hurt = broken.find((one) => one.id === id);
      if (hurt) throw hurt.why;
      let known = opened.find(({ workspace }) => workspace.id === id);
      if (known && !known.workspace.isJoining() && !known.workspace.wasMember()) {
        // An earlier join that failed while nobody looked.
        await discard(known);
        known = undefined;
      }
      if (known)
        throw new MeshError(
          "conflict",
          `You are in this workspace already: ${known.slug}.`,
          `claudemesh workspace use ${known.slug}`,
        );
      const slug = freeSlug(provisionalSlug(id));
      const one = await open(insert(id, slug, broker, { invite, named: false }));
      begin(one);
      return one;
    },
    async remove(one: Opened): Promise<void> {
      document.set("workspace", one.workspace.id, null);
      await discard(one);
    },
    async setAside(id: string, why: MeshError): Promise<void> {
      const hurt = opened.find(({ workspace }) => workspace.id === id);
      if (!hurt) return;
      opened.splice(opened.indexOf(hurt), 1);
      broken.push({ id, slug: hurt.slug, why: unusable(hurt.slug, why) });
      const fields = { workspace: id, error: why.code };
      ports.log.error(fields, "a workspace's database has failed; it is set aside");
      await hurt.workspace.stop();
    },
    use(one: Opened): void {
      mark(one.workspace.id);
      document.set("used", "", { workspace: one.workspace.id });
    },
    rename(one: Opened, name: string): void {
      callIt(one, name === one.slug ? name : newSlug(name));
      remember(one);
    },
    makeRoomFor(slug: string): void {
      const one = opened.find((other) => other.slug === slug);
      if (one) callIt(one, freeSlug(slug));
    },
    rememberAll(): void {
      for (const one of opened) remember(one);
    },
    settleSlug(one: Opened, name: string): void {
      if (rowOf(one.workspace.id).unnamed !== 1) return;
      callIt(one, freeSlug(name));
      remember(one);
      one.workspace.changed.notify();
    },
    async move(one: Opened, broker: string): Promise<void> {
      const { id } = one.workspace;
      opened.splice(opened.indexOf(one), 1);
      await one.workspace.stop();
      database.sql("UPDATE workspaces SET broker = ? WHERE id = ?").run(broker, id);
      const moved = await open(rowOf(id));
      remember(moved);
      begin(moved);
    },
    /** What the person's other machines say of theirs: those that came, those that went, their names. */
    async follow(): Promise<void> {
      const listed = document.all("workspace");
      const gone = document.entries().filter(({ value }) => value === null);
      for (const one of opened.filter(({ workspace }) =>
        gone.some(({ key }) => key === `workspace/${workspace.id}`),
      ))
        await discard(one);
      const known = new Set([...opened.map(({ workspace }) => workspace.id), ...broken.map(({ id }) => id)]);
      for (const [id, { slug, broker }] of listed)
        if (!known.has(id)) begin(await open(insert(id, freeSlug(slug), broker)));
      for (const one of opened) {
        const slug = listed.get(one.workspace.id)?.slug;
        if (slug && slug !== one.slug && !isTaken(slug)) callIt(one, slug);
      }
      const used = document.get("used");
      if (used) mark(used.workspace);
    },
    async reopen(): Promise<void> {
      await stop();
      opened.length = 0;
      broken.length = 0;
      await openAll();
    },
    async discardAll(): Promise<void> {
      for (const one of [...opened]) await discard(one);
      for (const { id } of broken.splice(0)) {
        forgetJoining(id);
        database.sql("DELETE FROM workspaces WHERE id = ?").run(id);
        ports.removeDatabase(id);
      }
    },
    start(): void {
      started = true;
      for (const one of opened) begin(one);
    },
    stop,
  };
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
