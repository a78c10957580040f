/** What can be asked over HTTP of an invite: which workspace it leads to, and, of one that was mailed, to be let in. */
import { MeshError } from "#protocol/errors.ts";
import { ID_PATTERN, INVITE_CODE_PATTERN } from "#protocol/ids.ts";
import { joinRequest } from "#protocol/join-request.ts";
import type { Invites } from "../invites/invites.ts";
import { BROKER_LIMITS } from "../limits.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { readJson, requireNoPage } from "./body.ts";
import type { BrokerHttp } from "./http.ts";

const NO_STORE = { "cache-control": "no-store" };

export function addInviteRoutes(
  app: BrokerHttp,
  { store }: Pick<CountingPorts, "store">,
  { limits: changes }: Pick<BrokerConfig, "limits">,
  invites: Invites,
): void {
  const limits = { ...BROKER_LIMITS, ...changes };

  app.get("/v1/invites/:code", async (c) => {
    const workspace = await store.inviteWorkspace(codeIn(c.req.param("code")));
    if (!workspace) throw notFound();
    return c.json({ workspace }, 200, NO_STORE);
  });

  app.post("/v1/invites/:code/requests", async (c) => {
    requireNoPage(c);
    const code = codeIn(c.req.param("code"));
    const request = await readJson(c.req.raw, joinRequest, limits.joinRequestBody);
    return c.json(await invites.ask(code, c.env?.address ?? "", request), 201, NO_STORE);
  });

  app.get("/v1/invites/:code/requests/:user", async (c) => {
    const { code, user } = c.req.param();
    if (!ID_PATTERN.test(user)) throw notFound();
    return c.json({ answer: await invites.answerFor(codeIn(code), user) }, 200, NO_STORE);
  });
}

function codeIn(text: string): string {
  if (INVITE_CODE_PATTERN.test(text)) return text;
  throw notFound();
}

function notFound(): MeshError {
  return new MeshError("invite_not_found", "There is no such invite.", "Ask for a new link.");
}
