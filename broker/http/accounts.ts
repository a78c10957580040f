/** Accounts over HTTP: one route for the whole table of calls. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type AccountCall, accountCalls, type CallParams } from "#protocol/account/api.ts";
import { concat, fromUtf8 } from "#protocol/bytes.ts";
import { type ErrorCode, errorShape, MeshError } from "#protocol/errors.ts";
import { firstIssue, nestsDeeperThan } from "#protocol/json.ts";
import type { Accounts } from "../accounts/accounts.ts";
import { createAddressPace } from "../accounts/pace.ts";
import { slowDown } from "../accounts/throttle.ts";
import { retryAfter } from "../gateway/busy.ts";
import { BROKER_LIMITS, type BrokerLimits } from "../limits.ts";
import type { BrokerConfig, CountingPorts } from "../ports.ts";
import type { BrokerHttp } from "./http.ts";

/** Which of its addresses the asker knows this broker by: signatures and tokens are for that one. */
const ORIGIN_HEADER = "x-claudemesh-origin";
const DEPTH = 8;

const STATUS: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  wrong_passphrase: 401,
  bad_token: 401,
  logged_out: 401,
  device_revoked: 403,
  not_allowed: 403,
  bad_signature: 403,
  not_found: 404,
  unknown_method: 405,
  pairing_over: 410,
  conflict: 409,
  account_exists: 409,
  too_large: 413,
  slow_down: 429,
  unexpected: 500,
  busy: 503,
  storage_full: 503,
};

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
    // A browser page has no business here: it would be somebody's page using its visitor's network.
    if (c.req.header("origin") !== undefined) {
      throw new MeshError("not_allowed", "No web page may ask this.", "Ask by `claudemesh`.");
    }
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
    const params = readParams(name, await readBody(c.req.raw, bodyLimit(name, limits)));
    return accounts.call(name, params, { origin, address, token, gone: c.req.raw.signal });
  };

  app.all("/v1/account/:name", async (c) => {
    c.header("cache-control", "no-store");
    try {
      return c.json(await answer(c));
    } catch (error) {
      return refuse(c, error);
    }
  });

  app.get("/v1/jwks", async (c) => c.json({ keys: await accounts.publicKeys() }));

  function refuse(c: Context, error: unknown): Response {
    const shape = errorShape(error);
    // What was asked stands in the error's own text nowhere: only what went wrong inside.
    if (shape.code === "unexpected") ports.log.error({ error: String(error) }, "an account call failed");
    const wait = retryAfter(error);
    if (wait.retryAfterMs !== undefined) c.header("retry-after", String(Math.ceil(wait.retryAfterMs / 1000)));
    // What is left of the body is nobody's next request.
    if (shape.code === "too_large") c.header("connection", "close");
    if (shape.code === "unknown_method") c.header("allow", "POST");
    return c.json({ error: shape, ...wait }, STATUS[shape.code] ?? 400);
  }
}

function isCall(name: string): name is AccountCall {
  return Object.hasOwn(accountCalls, name);
}

function bodyLimit(name: AccountCall, limits: BrokerLimits): number {
  if (name === "register" || name === "rotate" || name === "keepDocument") return limits.accountBoxesBody;
  return name === "leave" ? limits.pairingBody : limits.accountBody;
}

/** Counts what comes, whatever the head says of it. @throws MeshError too_large */
async function readBody({ body }: Request, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > most) throw new MeshError("too_large", "The request is longer than any of ours.", "");
    chunks.push(chunk);
  }
  return concat(...chunks);
}

/** @throws MeshError bad_data */
function readParams<N extends AccountCall>(name: N, body: Uint8Array): CallParams<N> {
  const refuse = (why: string) =>
    new MeshError("bad_data", `The request is malformed: ${why}.`, "Update claudemesh.");
  if (nestsDeeperThan(DEPTH, body)) throw refuse("it nests too deep");
  const parsed = accountCalls[name].params.safeParse(parseJson(body, refuse));
  if (!parsed.success) throw refuse(firstIssue(parsed.error));
  // The schema that has just accepted it is this call's.
  return parsed.data as CallParams<N>;
}

function parseJson(body: Uint8Array, refuse: (why: string) => MeshError): unknown {
  try {
    return JSON.parse(fromUtf8(body));
  } catch {
    throw refuse("it is not JSON");
  }
}
