/** Accounts over HTTP: one route for the whole table of calls. */
import type { Context } from "hono";
import { type AccountCall, accountCalls, type CallParams } from "#protocol/account/api.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Accounts } from "../accounts/accounts.ts";
import { slowDown } from "../accounts/throttle.ts";
import { createAddressPace } from "../address-pace.ts";
import { BROKER_LIMITS, type BrokerLimits } from "../limits.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import { readJson, requireNoPage } from "./body.ts";
import type { BrokerHttp } from "./http.ts";

/** Which of its addresses the asker knows this broker by: signatures and tokens are for that one. */
const ORIGIN_HEADER = "x-claudemesh-origin";

export function addAccountRoutes(
  app: BrokerHttp,
  ports: CountingPorts,
  { origins, limits: changes }: Pick<BrokerConfig, "origins" | "limits">,
  accounts: Accounts,
): void {
  const limits = { ...BROKER_LIMITS, ...changes };
  const pace = createAddressPace(ports.clock, {
    perSecond: limits.accountCallsPerSecond,
    burst: limits.accountCallBurst,
  });

  const answer = async (c: Context): Promise<unknown> => {
    const address: string = c.env?.address ?? "";
    const waitMs = pace.take(address);
    if (waitMs > 0) {
      ports.metrics.count("limited", 1, "account_calls");
      throw slowDown("Too much is asked from one address.", waitMs);
    }
    requireNoPage(c);
    const name = c.req.param("name") ?? "";
    if (!isCall(name)) throw new MeshError("not_found", "There is no such call.", "Update claudemesh.");
    if (c.req.method !== "POST") throw new MeshError("unknown_method", "This is asked by POST.", "");
    const origin = c.req.header(ORIGIN_HEADER) ?? "";
    if (!origins.has(origin)) {
      throw new MeshError(
        "bad_data",
        "The request is meant for another broker.",
        "Use the address that this broker is known by.",
      );
    }
    const token = /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1] ?? null;
    const params = await readParams(name, c.req.raw, limits);
    return accounts.call(name, params, { origin, address, token, gone: c.req.raw.signal });
  };

  app.all("/v1/account/:name", async (c) => {
    c.header("cache-control", "no-store");
    return c.json(await answer(c));
  });

  app.get("/v1/jwks", async (c) => c.json({ keys: await accounts.publicKeys() }));
}

function isCall(name: string): name is AccountCall {
  return Object.hasOwn(accountCalls, name);
}

function bodyLimit(name: AccountCall, limits: BrokerLimits): number {
  if (name === "register" || name === "rotate" || name === "keepDocument") return limits.accountBoxesBody;
  return name === "leave" ? limits.pairingBody : limits.accountBody;
}

/** @throws MeshError too_large, bad_data */
async function readParams<N extends AccountCall>(
  name: N,
  request: Request,
  limits: BrokerLimits,
): Promise<CallParams<N>> {
  const params = await readJson(request, accountCalls[name].params, bodyLimit(name, limits));
  // The schema that has just accepted it is this call's.
  return params as CallParams<N>;
}
