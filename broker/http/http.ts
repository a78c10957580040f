/** The broker's plain HTTP: is it well, and what does an invite code stand for. */
import { Hono } from "hono";
import { INVITE_CODE_PATTERN } from "#protocol/ids.ts";
import type { BrokerPorts } from "../ports.ts";

export function createHttp(ports: BrokerPorts, connections: () => number): Hono {
  const app = new Hono();
  const startedAt = ports.clock.now();

  app.get("/health", (c) =>
    c.json({ ok: true, connections: connections(), uptimeMs: Math.floor(ports.clock.now() - startedAt) }),
  );

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

  app.notFound((c) => c.json({ error: { code: "not_found", message: "Nothing is here.", hint: "" } }, 404));
  app.onError((error, c) => {
    ports.log.error({ error: String(error) }, "a request failed");
    return c.json({ error: { code: "unexpected", message: "Something went wrong.", hint: "" } }, 500);
  });
  return app;
}
