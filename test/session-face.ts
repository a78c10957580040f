/** A session as its daemon would show it, for tests that need only its name. */
import type { SessionFace } from "#protocol/features/member.ts";

export function faceOf(name: string, more: Partial<SessionFace> = {}): SessionFace {
  return {
    id: name,
    name,
    type: "claude",
    status: "idle",
    summary: null,
    cwd: "/x",
    host: "h",
    repo: null,
    branch: null,
    model: null,
    stats: null,
    ...more,
  };
}
