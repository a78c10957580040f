/** daemon.doctor: what the daemon alone can tell. A new check is a line in one of the lists at the end. */
import { MeshError } from "#protocol/errors.ts";
import type { Finding } from "#protocol/features/audit.ts";
import type { Check } from "#protocol/features/daemon.ts";
import { findingsIn, isLie } from "#sdk/features/audit.ts";
import type { Opened, Peer } from "#sdk/peer.ts";
import type { PeerPorts } from "#sdk/ports.ts";
import type { Delivery } from "../delivery/delivery.ts";
import { bad, good, unknown } from "../doctor.ts";
import type { Rules } from "../policy/rules.ts";
import type { AttachedSession, Sessions } from "../sessions.ts";

const ANSWER_LIMIT_MS = 5000;
const LINK_LIMIT_MS = 3000;
const CHECK_LIMIT_MS = 5000;
/** More than this, and what a broker calls expired or too old surprises. */
const MAX_SKEW_MS = 60_000;

type Examined = Opened & {
  /** The broker's health page; null for a workspace without a broker. */
  answer: Promise<BrokerAnswer> | null;
};

type BrokerAnswer = { skewMs: number | null } | { why: string };

/** Asked once for each workspace, by all checks that want it. */
async function askBroker({ clock, timers, fetchJson }: PeerPorts, broker: string): Promise<BrokerAnswer> {
  let cancel = () => {};
  const tooLate = new Promise<BrokerAnswer>((resolve) => {
    const why = `${broker} didn't answer within ${ANSWER_LIMIT_MS / 1000} s`;
    cancel = timers.after(ANSWER_LIMIT_MS, () => resolve({ why }));
  });
  const asked = async (): Promise<BrokerAnswer> => {
    const before = clock.now();
    try {
      const { status, date } = await fetchJson(`${broker}/health`);
      if (status !== 200) return { why: `${broker} answered with ${status}` };
      // The header has whole seconds: the middle of one is the best guess.
      return { skewMs: date === undefined ? null : date + 500 - (before + clock.now()) / 2 };
    } catch (error) {
      return { why: error instanceof MeshError ? error.message : String(error) };
    } finally {
      cancel();
    }
  };
  return Promise.race([asked(), tooLate]);
}

async function link({ slug, workspace, answer }: Examined): Promise<Check> {
  const name = `link ${slug}`;
  if (!answer) return unknown(name, "It lives on this machine only.");
  // Right after a start the link is just being made.
  const online = () => (workspace.link() === "online" ? true : null);
  if (await workspace.changed.until(online, LINK_LIMIT_MS, "the link").catch(() => false))
    return good(name, `online at ${workspace.broker}`);
  const reached = await answer;
  const why = (workspace.trouble() ?? workspace.linkTrouble())?.message ?? "It is being dialled.";
  return "why" in reached
    ? bad(
        name,
        `offline: ${reached.why}`,
        "Is the broker running, and is its address right? Messages wait meanwhile.",
      )
    : bad(name, `offline, though ${workspace.broker} answers: ${why}`, "See `claudemesh logs`.");
}

async function clocks({ slug, answer }: Examined): Promise<Check> {
  const name = `clock ${slug}`;
  const reached = answer && (await answer);
  if (!reached || "why" in reached || reached.skewMs === null)
    return unknown(name, "There is no broker to compare with.");
  const seconds = reached.skewMs / 1000;
  const said = `this machine is ${Math.abs(seconds).toFixed(1)} s ${seconds > 0 ? "behind" : "ahead of"} the broker`;
  return Math.abs(reached.skewMs) > MAX_SKEW_MS
    ? bad(name, said, "Let the system set its clock by the network.")
    : good(name, said);
}

/** What doesn't add up in what the broker gave: withheld, forked, refused; and what can't be read yet. */
function records(examined: Examined): Check {
  const name = `records ${examined.slug}`;
  const { db } = examined.workspace.replica;
  const waiting = Number(db.sql("SELECT count(*) AS n FROM records WHERE status <> 'applied'").get()?.n ?? 0);
  const rest = waiting > 0 ? `; ${waiting} wait for a key or for a newer claudemesh` : "";
  const counts = new Map<Finding["type"], number>();
  for (const { type, count } of findingsIn(examined)) counts.set(type, (counts.get(type) ?? 0) + count);
  const told = [...counts].map(([type, count]) => `${count} ${type}`).join(", ");
  const isBad = [...counts.keys()].some((type) => isLie({ type }));
  return isBad
    ? bad(name, `${told}${rest}`, "See `claudemesh audit show`, and ask who runs the broker.")
    : good(name, `${told === "" ? "none missing, none refused" : told}${rest}`);
}

/** Each is asked of each workspace. */
const workspaceChecks: readonly ((examined: Examined) => Check | Promise<Check>)[] = [link, clocks, records];

/** The person's rules: what holds where the file can't be read, and where in it the mistake is. */
function policy(rules: Rules): Check {
  const trouble = rules.trouble();
  if (!trouble) return good("policy", rules.path);
  return bad("policy", `The rules before are in force: ${trouble.message}`, trouble.hint);
}

/** Whether what is sent to it comes to its model. One that hasn't heard anything yet is tried, at the cost of a short turn. */
async function session(attached: AttachedSession, delivery: Delivery): Promise<Check> {
  const name = `session ${attached.name}`;
  const { reach, trouble, heardAt } = delivery.describe(attached);
  if (attached.deaf)
    return bad(name, `${reach}: ${trouble}`, "Start its client anew; see `claudemesh logs`.");
  if (trouble !== null) return unknown(name, `${reach}: ${trouble}`);
  if (reach !== "inbox") return good(name, SAID_OF[reach]);
  if (heardAt !== null) return good(name, `inbox: last heard at ${new Date(heardAt).toISOString()}`);
  const came = await delivery.check(attached, CHECK_LIMIT_MS);
  return came
    ? good(name, "inbox: a check came to its model")
    : unknown(name, "inbox: a check hasn't come to its model yet; a session at work takes it later.");
}

const SAID_OF = {
  wake: "its client has no inbox: a hook wakes it",
  context: "its client has no inbox: messages come with its next prompt",
  stream: "takes messages from the stream that it opened",
} as const;

export async function doctor(
  peer: Peer,
  sessions: Sessions,
  delivery: Delivery,
  rules: Rules | null,
): Promise<{ checks: Check[] }> {
  const broken = peer
    .broken()
    .map(({ slug, why }) => bad(`workspace ${slug}`, why.message, "See what is said of its database."));
  const each = peer.opened().map((opened) => {
    const { broker } = opened.workspace;
    const examined = { ...opened, answer: broker === null ? null : askBroker(peer.ports, broker) };
    return Promise.all(
      workspaceChecks.map((look) => looked(`workspace ${opened.slug}`, () => look(examined))),
    );
  });
  const heard = sessions.list().map((one) => looked(`session ${one.name}`, () => session(one, delivery)));
  return {
    checks: [
      ...broken,
      ...(rules ? [policy(rules)] : []),
      ...(await Promise.all(each)).flat(),
      ...(await Promise.all(heard)),
    ],
  };
}

/** A check that fails itself has found something: say, a database that fails just now, or an adapter that has gone. */
async function looked(name: string, look: () => Check | Promise<Check>): Promise<Check> {
  try {
    return await look();
  } catch (error) {
    const why = error instanceof MeshError ? error.message : String(error);
    return bad(name, why, "See `claudemesh logs`.");
  }
}
