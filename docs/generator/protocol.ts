/** The generated blocks of docs/PROTOCOL.md. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { accountCalls } from "#protocol/account/api.ts";
import { backup } from "#protocol/account/backup.ts";
import * as entries from "#protocol/chain/entries.ts";
import * as frames from "#protocol/frames.ts";
import * as joining from "#protocol/join-request.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { MethodSchema } from "#protocol/method.ts";
import { header } from "#protocol/record.ts";
import { events, methods } from "#protocol/registry.ts";
import { type Blocks, markdownTable } from "./blocks.ts";
import { commentsOf, tableIn, typesIn } from "./comments.ts";
import { errorTable } from "./errors.ts";
import { createShapes, type Part, type Shapes } from "./shapes.ts";

export async function protocolBlocks(root: string): Promise<Blocks> {
  const source = (path: string) => readFileSync(join(root, "protocol", path), "utf8");
  const shapes = createShapes(root, await partsOf(root));
  const fenced = (text: string) => `\`\`\`ts\n${text}\n\`\`\``;

  const each = (module: object, schemas: readonly z.ZodObject[]) =>
    schemas
      .map((schema) => `${comment(shapes.comment(nameOf(module, schema)))}${fenced(shapes.define(schema))}`)
      .join("\n\n");
  const kinds = Object.entries(events).map(
    ([kind, schema]) => `${comment(shapes.comment(`events/${kind}`))}${fenced(shapes.define(schema))}`,
  );

  return {
    methods: () => methodPages(shapes, fenced),
    "account calls": () => callPages(shapes, fenced),
    "socket frames": () =>
      fenced(typesIn(source("socket.ts"), "export type ClientKind", "export function encodeSocketFrame")),
    "requests to join": () => each(joining, [joining.joinRequest, joining.joinAnswer]),
    "frames from a device": () => each(frames, frames.fromDevice.options),
    "frames from the broker": () => each(frames, frames.fromBroker.options),
    "outer frames": () => each(frames, frames.outer.options),
    "record header": () => fenced(shapes.define(header)),
    "chain entries": () => each(entries, entries.chainEntry.options),
    "sealed events": () => kinds.join("\n\n"),
    // Behind all that wants names.
    shapes: () => fenced(shapes.used().map(definition).join("\n\n")),
    "backup contents": () => fenced(shapes.define(backup)),
    ids: () => tableIn(source("ids.ts")),
    limits: () => limitTable(source("limits.ts")),
    errors: errorTable,
  };
}

/** Every module of the protocol that may hold schemas, those that others build on first. */
async function partsOf(root: string): Promise<Part[]> {
  const features = readdirSync(join(root, "protocol", "features")).toSorted();
  const files = [
    "schema.ts",
    "method.ts",
    ...features.map((file) => `features/${file}`),
    "certificate.ts",
    "account/api.ts",
    "account/document.ts",
    "account/vault.ts",
    "account/backup.ts",
    "record.ts",
    "certificate.ts",
    "chain/entries.ts",
    "join-request.ts",
    "frames.ts",
  ];
  return Promise.all(
    files
      .filter((file) => !file.endsWith(".test.ts"))
      .map(async (file) => ({
        path: `protocol/${file}`,
        module: await import(join(root, "protocol", file)),
      })),
  );
}

function methodPages(shapes: Shapes, fenced: (text: string) => string): string {
  const table: readonly (readonly [string, Record<string, MethodSchema>])[] = Object.entries(methods);
  const pages = table.flatMap(([noun, verbs]) =>
    Object.entries(verbs).map(([verb, { scope, byPerson, params, result, event }]) => {
      const lines = [
        `params: ${shapes.write(params)}`,
        `result: ${shapes.write(result)}`,
        ...(event ? [`event: ${shapes.write(event)}`] : []),
      ];
      const about = shapes.comment(`${noun}Methods/${verb}`);
      return `### \`${noun}.${verb}\`\n\n${scope}${byPerson ? ", by the person alone" : ""}${event ? ", streams" : ""}${about ? `: ${about}` : ""}\n\n${fenced(lines.join("\n"))}`;
    }),
  );
  return pages.join("\n\n");
}

function callPages(shapes: Shapes, fenced: (text: string) => string): string {
  const pages = Object.entries(accountCalls).map(([name, { token, params, result }]) => {
    const lines = [`params: ${shapes.write(params)}`, `result: ${shapes.write(result)}`];
    const wants =
      token === "none" ? "no token" : `with ${token === "ticket" ? "a ticket" : "an access token"}`;
    return `### \`POST /v1/account/${name}\`\n\n${wants}: ${shapes.comment(`accountCalls/${name}`)}\n\n${fenced(lines.join("\n"))}`;
  });
  return pages.join("\n\n");
}

function comment(text: string): string {
  return text === "" ? "" : `${text}\n\n`;
}

function definition({ name, comment, text }: { name: string; comment: string; text: string }): string {
  return `${comment === "" ? "" : `// ${comment}\n`}${name} =${text.startsWith("\n") ? "" : " "}${text}`;
}

function nameOf(module: object, schema: unknown): string {
  return Object.entries(module).find(([, value]) => value === schema)?.[0] ?? "";
}

function limitTable(source: string): string {
  const comments = commentsOf(source);
  const rows = Object.entries(LIMITS).map(([name, value]) => [
    `\`${name}\``,
    value.toLocaleString("en-US"),
    comments.get(`LIMITS/${name}`) ?? "",
  ]);
  return markdownTable(["limit", "", ""], rows);
}
