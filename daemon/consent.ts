/**
 * Whether a request may be done: what a session can't do by itself waits for its person's yes. It is a brake and no boundary: whoever
 * runs as this user can leave the session's environment behind, and is the person then (docs/SECURITY.md).
 */
import { z } from "zod";
import { MeshError } from "#protocol/errors.ts";
import type { Approval, Decision } from "#protocol/features/approval.ts";
import { FREE, isSecret, type MethodSchema } from "#protocol/method.ts";
import type { SocketHello } from "#protocol/socket.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import type { Approvals } from "./approvals.ts";
import type { Decisions } from "./ports.ts";

/** Shorter than the two minutes that Claude Code gives a command without being told: the answer gets through. */
const PATIENCE_MS = 100_000;
/** Of one value, as it is shown. */
const SHOWN_CHARACTERS = 400;

export type Asked = {
  hello: SocketHello;
  method: string;
  schema: MethodSchema;
  /** Checked by the schema. */
  params: unknown;
  caller: Caller;
};

export type Consent = {
  /** Resolves with the params to go on with, when it may be done. @throws MeshError refused, or what keeps it from being asked */
  ask(asked: Asked, held: (approval: Approval) => void): Promise<unknown>;
  /** A rule has refused it already. */
  refused(asked: Pick<Asked, "hello" | "method" | "schema">, why: MeshError): void;
};

/** Whether it comes from inside of a Claude session: from the model's shell, its adapter, or in a session's name. */
export function isInside({ client, session, inside }: SocketHello): boolean {
  return client === "adapter" || session !== undefined || inside === true;
}

export function createConsent(
  peer: Pick<Peer, "now" | "writable">,
  approvals: Approvals,
  decisions: Decisions,
  device: () => string,
): Consent {
  type Ruling = Pick<Decision, "decision"> & Partial<Decision>;

  const note = ({ hello, method, schema }: Pick<Asked, "hello" | "method" | "schema">, ruling: Ruling) =>
    decisions.append({
      at: new Date(peer.now()).toISOString(),
      who: isInside(hello) ? "session" : "person",
      session: hello.session ?? null,
      method,
      scope: schema.scope,
      workspace: null,
      approval: null,
      by: null,
      reason: null,
      ...ruling,
    });

  /** Exactly this workspace, whichever one is in use, or is called so, by the time of the yes. */
  const pinned = (params: unknown): { params: unknown; workspace: string | null } => {
    const fields = typeof params === "object" && params !== null ? params : {};
    const selector = "workspace" in fields ? fields.workspace : undefined;
    const { slug, workspace } = peer.writable(typeof selector === "string" ? selector : undefined);
    return { params: { ...fields, workspace: workspace.id }, workspace: slug };
  };

  return {
    async ask(asked, held) {
      const { hello, method, schema, caller } = asked;
      if (!isInside(hello)) {
        note(asked, { decision: "allowed", by: device() });
        return asked.params;
      }
      const isOfWorkspace = schema.params instanceof z.ZodObject && "workspace" in schema.params.shape;
      const { params, workspace } = isOfWorkspace
        ? pinned(asked.params)
        : { params: asked.params, workspace: null };
      const { approval, outcome } = approvals.hold(
        {
          method,
          scope: schema.scope,
          verb: method.replace(".", " "),
          params: inWords(schema, asked.params),
          workspace,
          session: { id: hello.session ?? null, name: caller.session?.name ?? null },
          device: device(),
          patienceMs: hello.patienceMs ?? PATIENCE_MS,
        },
        caller.ended,
      );
      held(approval);
      const { approval: settled, by } = await outcome;
      const { state, id } = settled;
      if (state === "waiting") throw new Error("what is settled doesn't wait");
      const isNoted = note(asked, { decision: state, workspace, approval: id, by });
      if (state !== "approved") throw refusal(settled);
      // A person on a full disk can go on; what a session does is on record.
      if (isNoted) return params;
      throw new MeshError(
        "storage_full",
        "The yes can't be written down, so nothing was done.",
        "Make room on the disk, and see who may write logs/decisions.jsonl.",
      );
    },
    refused(asked, why) {
      if (FREE.includes(asked.schema.scope)) return;
      note(asked, { decision: "refused", reason: why.message });
    },
  };
}

/** What a person is shown of a request, all of it that is no secret; the workspace stands elsewhere. */
export function inWords({ params: schema }: MethodSchema, params: unknown): Record<string, string> {
  const shape: Record<string, unknown> = schema instanceof z.ZodObject ? schema.shape : {};
  const given = typeof params === "object" && params !== null ? Object.entries(params) : [];
  return Object.fromEntries(
    given
      .filter(([name, value]) => name !== "workspace" && value !== undefined)
      .map(([name, value]) => {
        const field = shape[name];
        const isShown = field instanceof z.ZodType && !isSecret(field);
        return [name, isShown ? shown(value) : "(not shown)"];
      }),
  );
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const rest = text.length - SHOWN_CHARACTERS;
  return rest > 0 ? `${text.slice(0, SHOWN_CHARACTERS)}… (${rest} characters more)` : text;
}

function refusal({ id, state, verb }: Approval): MeshError {
  const why = {
    denied: "The person said no",
    expired: "Nobody said yes in time",
    withdrawn: "Whoever asked has gone",
    approved: "It was approved",
    waiting: "It waits",
  }[state];
  const next =
    state === "expired"
      ? "Ask the person first, then run it again: claudemesh approvals list shows them what waits."
      : "";
  return new MeshError("refused", `${why}: "${verb}" was not done (${id.slice(-8)}).`, next);
}
