/** The broker's plain HTTP: is it well, what does an invite code stand for, what does its link show in a browser, and its metrics. */
import { Hono } from "hono";
import { equalBytes, utf8 } from "#protocol/bytes.ts";
import { INVITE_CODE_PATTERN } from "#protocol/ids.ts";
import type { Log } from "../log/log.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { serveInvitePage } from "./invite-page.ts";

/** `isLocal`: the request came straight from this machine. */
export type BrokerHttp = Hono<{ Bindings: { isLocal?: boolean } }>;

export function createHttp(
  ports: CountingPorts,
  { metrics: readers }: Pick<BrokerConfig, "metrics">,
  connections: () => number,
  log: Log,
): BrokerHttp {
  const app: BrokerHttp = new Hono();
  const startedAt = ports.clock.now();

  app.get("/health", (c) =>
    c.json({ ok: true, connections: connections(), uptimeMs: Math.floor(ports.clock.now() - startedAt) }),
  );

  serveInvitePage(app, ports, log);

  app.get("/v1/invites/:code", async (c) => {
    const code = c.req.param("code");
    const workspace = INVITE_CODE_PATTERN.test(code) ? await ports.store.inviteWorkspace(code) : null;
    c.header("cache-control", "no-store");
    if (workspace) return c.json({ workspace });
    return c.json(
      {
        error: { code: "invite_not_found", message: "There is no such invite.", hint: "Ask for a new link." },
      },
      404,
    );
  });

  app.get("/metrics", async (c) => {
    const isLocal = readers?.local === true && c.env?.isLocal === true;
    const mayRead = isLocal || (readers?.token && hasToken(c.req.header("authorization"), readers.token));
    const metrics = mayRead ? await ports.metrics.text() : null;
    if (!metrics) return c.notFound();
    return c.body(metrics.body, 200, { "content-type": metrics.type, "cache-control": "no-store" });
  });

  app.notFound((c) => c.json({ error: { code: "not_found", message: "Nothing is here.", hint: "" } }, 404));
  app.onError((error, c) => {
    ports.log.error({ error: String(error) }, "a request failed");
    return c.json({ error: { code: "unexpected", message: "Something went wrong.", hint: "" } }, 500);
  });
  return app;
}

function hasToken(authorization: string | undefined, token: string): boolean {
  return equalBytes(utf8(authorization ?? ""), utf8(`Bearer ${token}`));
}
