/** Shapes of the frames that clients send on the unix socket; their types are in protocol/socket.ts, free of zod. */
import { z } from "zod";
import type { SocketHello, SocketRequest } from "#protocol/socket.ts";

export const socketHello = z.strictObject({
  client: z.enum(["cli", "adapter", "daemon", "other"]),
  version: z.string().max(50),
  session: z.string().max(100).optional(),
  mode: z.enum(["plan", "read-only", "write", "yolo"]).optional(),
  inside: z.boolean().optional(),
  patienceMs: z.int().min(1).max(86_400_000).optional(),
}) satisfies z.ZodType<SocketHello, unknown>;

export const socketRequest = z.strictObject({
  id: z.int().min(0),
  method: z.string().max(100),
  params: z.unknown(),
}) satisfies z.ZodType<SocketRequest, unknown>;
