/** What can be asked over HTTP of an invite: which workspace it leads to, and, of one that was mailed, to be let in. */
import { bodyLimit } from "hono/body-limit";
import { ERRORS, errorShape, MeshError } from "#protocol/errors.ts";
import { ID_PATTERN, INVITE_CODE_PATTERN } from "#protocol/ids.ts";
import { joinRequest } from "#protocol/join-request.ts";
import type { Invites } from "../invites/invites.ts";
import { BROKER_LIMITS } from "../limits.ts";
import type { BrokerPorts } from "../ports.ts";
import type { BrokerHttp } from "./http.ts";

const NO_STORE = { "cache-control": "no-store" };

export function serveInvites(app: BrokerHttp, { store }: Pick<BrokerPorts, "store">, invites: Invites): void {
  app.get("/v1/invites/:code", async (c) => {
    const workspace = await store.inviteWorkspace(codeIn(c.req.param("code")));
    if (!workspace) throw notFound();
    return c.json({ workspace }, 200, NO_STORE);
  });

  app.post(
    "/v1/invites/:code/requests",
    bodyLimit({
      maxSize: BROKER_LIMITS.joinRequestBytes,
      onError() {
        throw new MeshError("too_large", "The request is longer than any of ours.", "Update claudemesh.");
      },
    }),
    async (c) => {
      const code = codeIn(c.req.param("code"));
      const request = joinRequest.safeParse(await c.req.json().catch(() => null));
      if (!request.success)
        throw new MeshError("bad_data", "This is no request to join.", "Update claudemesh.");
      return c.json(await invites.ask(code, c.env?.address ?? "", request.data), 201, NO_STORE);
    },
  );

  app.get("/v1/invites/:code/requests/:user", async (c) => {
    const { code, user } = c.req.param();
    if (!ID_PATTERN.test(user)) throw notFound();
    return c.json({ answer: await invites.answerFor(codeIn(code), user) }, 200, NO_STORE);
  });
}

/** Statuses for our errors: 410 for what was there, 429 for what has to wait. */
export function statusOf({ code }: MeshError): 400 | 403 | 404 | 409 | 410 | 413 | 429 | 503 {
  if (code === "busy") return 429;
  if (code === "too_large") return 413;
  if (code === "invite_revoked" || code === "invite_expired" || code === "invite_exhausted") return 410;
  const { exit } = ERRORS[code];
  if (exit === 4) return 403;
  if (exit === 5) return 404;
  if (exit === 6) return 409;
  return exit === 8 ? 503 : 400;
}

export function errorBody(error: MeshError) {
  return { error: errorShape(error) };
}

function codeIn(text: string): string {
  if (INVITE_CODE_PATTERN.test(text)) return text;
  throw notFound();
}

function notFound(): MeshError {
  return new MeshError("invite_not_found", "There is no such invite.", "Ask for a new link.");
}
