/** Sends an invite's link by e-mail for somebody who may invite. The address is kept nowhere and never logged. */
import { toBase64url, utf8 } from "#protocol/bytes.ts";
import type { Invite } from "#protocol/chain/state.ts";
import { MeshError } from "#protocol/errors.ts";
import { hmacSha256 } from "#protocol/hash.ts";
import { shortId } from "#protocol/ids.ts";
import { encodeInviteAddress } from "#protocol/invite-link.ts";
import { slowDown } from "../accounts/throttle.ts";
import { createAddressPace } from "../address-pace.ts";
import type { BrokerLimits } from "../limits.ts";
import type { CountingPorts } from "../ports.ts";

const DAY_S = 86_400;
const SUBJECT = "You are invited to a claudemesh workspace";

export type Mailing = {
  /** `origin`: the broker's address as the inviter knows it. @throws MeshError refused, slow_down, offline */
  send(workspace: string, origin: string, invite: Invite, to: string): Promise<void>;
};

export function createMailing(ports: CountingPorts, limits: BrokerLimits): Mailing {
  const perDay = { perSecond: limits.mailsPerDay / DAY_S, burst: limits.mailsPerDay };
  const ofWorkspaces = createAddressPace(ports.clock, perDay);
  const toAddresses = createAddressPace(ports.clock, perDay);
  /** Under this, addresses are counted without being known. */
  const secret = ports.random(32);

  const outcome = async (send: () => Promise<void>) => {
    try {
      await send();
      ports.metrics.count("mails", 1, "sent");
    } catch (error) {
      ports.metrics.count("mails", 1, error instanceof MeshError ? error.code : "unexpected");
      throw error;
    }
  };

  return {
    send: (workspace, origin, invite, to) =>
      outcome(async () => {
        if (!ports.mail) {
          throw new MeshError(
            "refused",
            "This broker sends no e-mail.",
            "Make a link and send it yourself: claudemesh invite create",
          );
        }
        const address = toBase64url(hmacSha256(secret, utf8(to.toLowerCase())));
        const waitMs = ofWorkspaces.take(workspace) || toAddresses.take(address);
        if (waitMs > 0) {
          throw slowDown(`The broker sends ${limits.mailsPerDay} e-mails a day, and not more.`, waitMs);
        }
        await ports.mail.send({ to, subject: SUBJECT, text: textOf(workspace, origin, invite) });
      }),
  };
}

/** Plain ASCII in short lines: so it arrives as it is written here. */
function textOf(workspace: string, origin: string, { code, role, expiresAt }: Invite): string {
  const link = encodeInviteAddress({ broker: origin, code });
  const until = `${new Date(expiresAt).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return `Somebody invites you to a claudemesh workspace (...${shortId(workspace)}) as ${role}.
claudemesh connects the AI coding sessions of a team.

To join, run in a terminal:

    claudemesh join ${link}

It shows you six words. Tell them to whoever invited you, by another
way than e-mail: they let you in. The invite is good until
${until}.

Your colleagues will see your name, when you are online, your sessions'
names and folders, and what you write to them. They won't see your
files, your sessions' transcripts or your keys. The server that sent
this mail only passes sealed messages on, and didn't keep your address.

More, and how to get claudemesh:
${link}

You know nobody who could have invited you? Then do nothing.
`;
}
