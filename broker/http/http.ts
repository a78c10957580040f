/** The broker's plain HTTP: is it well, invites, what a link shows in a browser, and its metrics. */
import { Hono } from "hono";
import { equalBytes, utf8 } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Invites } from "../invites/invites.ts";
import type { Log } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { serveInvitePage } from "./invite-page.ts";
import { errorBody, serveInvites, statusOf } from "./invites.ts";

/** `isLocal`: the request came straight from this machine. `address`: where from, as limits tell addresses apart. */
export type BrokerHttp = Hono<{ Bindings: { isLocal?: boolean; address?: string } }>;

export function createHttp(
  ports: CountingPorts,
  { metrics: readers }: Pick<BrokerConfig, "metrics">,
  connections: () => number,
  log: Log,
  invites: Invites,
): BrokerHttp {
  const app: BrokerHttp = new Hono();
  const startedAt = ports.clock.now();

  app.get("/health", (c) =>
    c.json({ ok: true, connections: connections(), uptimeMs: Math.floor(ports.clock.now() - startedAt) }),
  );

  serveInvitePage(app, ports, log);
  serveInvites(app, ports, invites);

  app.get("/metrics", async (c) => {
    const isLocal = readers?.local === true && c.env?.isLocal === true;
    const mayRead = isLocal || (readers?.token && hasToken(c.req.header("authorization"), readers.token));
    const metrics = mayRead ? await ports.metrics.text() : null;
    if (!metrics) return c.notFound();
    return c.body(metrics.body, 200, { "content-type": metrics.type, "cache-control": "no-store" });
  });

  app.notFound((c) => c.json({ error: { code: "not_found", message: "Nothing is here.", hint: "" } }, 404));
  app.onError((error, c) => {
    if (error instanceof MeshError)
      return c.json(errorBody(error), statusOf(error), { "cache-control": "no-store" });
    ports.log.error({ error: String(error) }, "a request failed");
    return c.json({ error: { code: "unexpected", message: "Something went wrong.", hint: "" } }, 500);
  });
  return app;
}

function hasToken(authorization: string | undefined, token: string): boolean {
  return equalBytes(utf8(authorization ?? ""), utf8(`Bearer ${token}`));
}
