/**
 * What a member may do to me: write to me, wake a session that rests, read files that I expose, call tools that I share, ask
 * what my sessions did. The first two without a word of mine, the others with it. Free of zod: verbs load this file.
 */
export const RIGHTS = ["message", "wake", "read-files", "call-tools", "ask"] as const;

export type Right = (typeof RIGHTS)[number];
