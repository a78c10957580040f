/** What `up` was told and remembers. Only the daemon writes it. */
import { z } from "zod";
import { MeshError } from "#protocol/errors.ts";
import { brokerOrigin } from "#protocol/frames.ts";
import { name } from "#protocol/schema.ts";

export const config = z.strictObject({
  name,
  /** The broker for new workspaces; null: the embedded one, if there is one. */
  broker: z.string().nullable(),
  embedded: z.boolean(),
  /** Of the embedded broker; drawn once and kept, since links carry it. */
  port: z.int().min(1).max(65535).nullable(),
});

export type Config = z.infer<typeof config>;
export type UpOptions = {
  name?: string | undefined;
  broker?: string | undefined;
  noBroker?: boolean | undefined;
  port?: number | undefined;
};

/** @throws MeshError bad_data for a broken file or an impossible option */
export function mergeConfig(saved: string | null, options: UpOptions, defaultName: string): Config {
  const before = saved === null ? null : parseConfig(saved);
  const merged = {
    name: options.name ?? before?.name ?? defaultName,
    broker: options.broker === undefined ? (before?.broker ?? null) : brokerOrigin(options.broker),
    embedded: options.noBroker === undefined ? (before?.embedded ?? true) : !options.noBroker,
    port: options.port ?? before?.port ?? null,
  };
  const checked = config.safeParse(merged);
  if (checked.success) return checked.data;
  throw new MeshError(
    "bad_data",
    `"${merged.name}" is no account name, or the port is wrong.`,
    "A name is [a-z0-9][a-z0-9._-]{0,31}; a port 1 to 65535.",
  );
}

/** What can still be read of a damaged file. */
export function salvageConfig(text: string): UpOptions {
  const value = (key: string, shape: string) => new RegExp(`"${key}"\\s*:\\s*${shape}`).exec(text)?.[1];
  const broker = value("broker", '"(https?://[^"]+)"');
  const embedded = value("embedded", "(true|false)");
  const port = Number(value("port", "(\\d{1,5})\\b"));
  return {
    name: value("name", '"([a-z0-9][a-z0-9._-]{0,31})"'),
    broker: broker !== undefined && URL.canParse(broker) ? broker : undefined,
    noBroker: embedded === undefined ? undefined : embedded === "false",
    port: port >= 1 && port <= 65535 ? port : undefined,
  };
}

/** @throws MeshError bad_data */
export function parseConfig(text: string): Config {
  try {
    return config.parse(JSON.parse(text));
  } catch {
    throw new MeshError(
      "bad_data",
      "config.json is damaged.",
      "claudemesh doctor --fix moves it aside and keeps what can still be read of it.",
    );
  }
}
