/** The broker's plain HTTP: is it well, invites, what a link shows in a browser, accounts, and its metrics. */
import { Hono } from "hono";
import { equalBytes, utf8 } from "#protocol/bytes.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Invites } from "../invites/invites.ts";
import type { Log } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { addAccountRoutes } from "./accounts.ts";
import { addInvitePage } from "./invite-page.ts";
import { addInviteRoutes } from "./invites.ts";
import { refuse } from "./refusal.ts";

/** `isLocal`: the request came straight from this machine. `address`: where from, as limits tell addresses apart. */
export type BrokerHttp = Hono<{ Bindings: { isLocal?: boolean; address?: string } }>;

export function createHttp(
  ports: CountingPorts,
  config: Pick<BrokerConfig, "metrics" | "origins" | "limits">,
  connections: () => number,
  { log, accounts, invites }: { log: Log; accounts: Accounts; invites: Invites },
): BrokerHttp {
  const app: BrokerHttp = new Hono();
  const readers = config.metrics;
  const startedAt = ports.clock.now();
  addAccountRoutes(app, ports, config, accounts);
  addInviteRoutes(app, ports, config, invites);
  addInvitePage(app, ports, log);

  app.get("/health", (c) =>
    c.json({ ok: true, connections: connections(), uptimeMs: Math.floor(ports.clock.now() - startedAt) }),
  );

  app.get("/metrics", async (c) => {
    const isLocal = readers?.local === true && c.env?.isLocal === true;
    const mayRead = isLocal || (readers?.token && hasToken(c.req.header("authorization"), readers.token));
    const metrics = mayRead ? await ports.metrics.text() : null;
    if (!metrics) return c.notFound();
    return c.body(metrics.body, 200, { "content-type": metrics.type, "cache-control": "no-store" });
  });

  app.notFound((c) => c.json({ error: { code: "not_found", message: "Nothing is here.", hint: "" } }, 404));
  app.onError((error, c) => refuse(c, error, ports.log));
  return app;
}

function hasToken(authorization: string | undefined, token: string): boolean {
  return equalBytes(utf8(authorization ?? ""), utf8(`Bearer ${token}`));
}
