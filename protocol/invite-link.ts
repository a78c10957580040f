/** `https://BROKER/i/CODE#FRAGMENT`. The fragment (16-byte secret, first 16 bytes of the chain head) never reaches a server. */
import { concat, fromBase64url, toBase64url } from "./bytes.ts";
import { MeshError } from "./errors.ts";
import { brokerOrigin } from "./frames.ts";
import { INVITE_CODE_PATTERN } from "./ids.ts";

export type InviteAddress = {
  /** Origin of the broker, http(s). */
  broker: string;
  code: string;
};

export type InviteLink = InviteAddress & {
  secret: Uint8Array;
  /** First 16 bytes of the chain's head when the link was made: the joiner refuses a chain without it. */
  head: Uint8Array;
};

export function encodeInviteLink(link: InviteLink): string {
  return `${link.broker}/i/${link.code}#${toBase64url(concat(link.secret, link.head))}`;
}

/** As it is in an e-mail: who has it may ask, and no more. */
export function encodeInviteAddress({ broker, code }: InviteAddress): string {
  return `${broker}/i/${code}`;
}

/** Null for a link that has a part behind the #. @throws MeshError invite_malformed */
export function decodeInviteAddress(text: string): InviteAddress | null {
  const { broker, code, hash } = partsOf(text);
  return hash === "" ? { broker, code } : null;
}

/** @throws MeshError invite_malformed */
export function decodeInviteLink(text: string): InviteLink {
  const { broker, code, hash } = partsOf(text);
  let fragment: Uint8Array;
  try {
    fragment = fromBase64url(hash.slice(1));
  } catch {
    throw malformed("the part behind # is damaged");
  }
  if (fragment.length !== 32) throw malformed("the part behind # is missing or cut");
  return { broker, code, secret: fragment.subarray(0, 16), head: fragment.subarray(16) };
}

function partsOf(text: string): InviteAddress & { hash: string } {
  const bare = withoutWrapping(text);
  if (!URL.canParse(bare)) throw malformed("it is not a URL");
  const url = new URL(bare);
  const code = url.pathname.match(/^\/i\/([^/]+)$/)?.[1];
  if (!/^https?:$/.test(url.protocol) || !code || !INVITE_CODE_PATTERN.test(code))
    throw malformed("it has no invite code");
  return { broker: brokerOrigin(url.origin), code, hash: url.hash };
}

function malformed(why: string): MeshError {
  return new MeshError(
    "invite_malformed",
    `This is not a whole invite link: ${why}.`,
    "Copy the link again, to its last character.",
  );
}

/** As it was pasted: with blanks, quotes, brackets around it, or the full stop of the sentence that it ended. */
function withoutWrapping(text: string): string {
  return text.replace(/^[\s<("'`]+/, "").replace(/[\s>)"'`.,;]+$/, "");
}
