/**
 * What a browser shows of an invite link. Inert: no script, nothing loaded, nothing changed by looking, since previews of
 * links look too. The part behind # is the secret: browsers don't send it, so this page can't know it.
 */
import { html, raw } from "hono/html";
import { utf8 } from "#protocol/bytes.ts";
import { activeMember, type ChainState, type Invite, inviteState } from "#protocol/chain/state.ts";
import { sha256 } from "#protocol/hash.ts";
import { INVITE_CODE_PATTERN, shortId } from "#protocol/ids.ts";
import type { Log } from "../log/log.ts";
import type { BrokerPorts } from "../ports.ts";
import type { BrokerHttp } from "./http.ts";

const STYLE = `
:root { color-scheme: light dark; --text: #1d2329; --dim: #5b6670; --line: #d8dee4; --page: #fff; --code: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ec; --dim: #9aa5b0; --line: #343c45; --page: #14181d; --code: #1e242b; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 42rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
p, ul { margin: .5rem 0; }
ul { padding-left: 1.25rem; }
.dim { color: var(--dim); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 1.5rem 0; padding: 1rem 0; border: solid var(--line); border-width: 1px 0; }
dt { color: var(--dim); }
dd { margin: 0; }
code, pre { font: 14px/1.5 ui-monospace, monospace; background: var(--code); border-radius: .3rem; }
code { padding: .1rem .3rem; }
pre { padding: .75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

const HEADERS = {
  "content-type": "text/html; charset=UTF-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${base64(sha256(utf8(STYLE)))}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

const GONE = {
  "used up": "has been used up",
  expired: "has expired",
  revoked: "has been revoked",
} as const;

type Page = ReturnType<typeof html>;

/** `GET /i/CODE`: 200 while it lets somebody in, 410 once it doesn't, 404 where there never was one. */
export function addInvitePage(app: BrokerHttp, ports: Pick<BrokerPorts, "store" | "clock">, log: Log): void {
  app.get("/i/:code", async (c) => {
    const code = c.req.param("code");
    const workspace = INVITE_CODE_PATTERN.test(code) ? await ports.store.inviteWorkspace(code) : null;
    if (!workspace) return answer(404, refusal("There is no such invite", "The link may be cut, or wrong."));
    const opened = await log.open(workspace);
    const { chain } = opened;
    log.release(opened);
    const invite = chain?.invites.get(code);
    if (!chain || !invite) throw new Error("a code that is listed stands in its chain");
    const state = inviteState(invite, ports.clock.now());
    if (state !== "open")
      return answer(410, refusal(`This invite ${GONE[state]}`, "It lets nobody in any more."));
    return answer(200, invitation(chain, invite));
  });
}

async function answer(status: 200 | 404 | 410, page: Page): Promise<Response> {
  return new Response(String(await page), { status, headers: HEADERS });
}

function invitation(chain: ChainState, { role, expiresAt, uses, used, mail }: Invite): Page {
  const members = [...chain.members.keys()].filter((id) => activeMember(chain, id)).length;
  const left = uses - used;
  return whole(
    "You are invited to a claudemesh workspace",
    html`<h1>You are invited to a claudemesh workspace</h1>
<p>claudemesh connects the AI coding sessions of a team. This server only passes sealed messages on: it knows no name of the
workspace, nor of anybody in it. Ask whoever sent you the link whose it is.</p>
<dl>
<dt>Workspace</dt><dd><code>…${shortId(chain.workspace)}</code></dd>
<dt>You become</dt><dd>${role}</dd>
<dt>Members</dt><dd>${members}</dd>
<dt>Good for</dt><dd>${left === 1 ? "one person" : `${left} people`} more</dd>
<dt>Until</dt><dd>${utc(expiresAt)}</dd>
</dl>
<h2>To join</h2>
<p>In a terminal, with the quotes:</p>
<pre>claudemesh join "<span class="dim">the whole address from your browser's address bar${mail ? "" : ", with the part behind #"}</span>"</pre>
${mail ? APPROVED : SECRET}
<p>You don't have claudemesh yet? Get it from where your team keeps it, and run <code>npm start</code> in its folder: on Linux or
macOS, with any Node from 18 on.</p>
<h2>What your colleagues will see</h2>
<ul>
<li>your name, and when you are online</li>
<li>your AI sessions: their names, folders, and what they say they work on</li>
<li>what you and your sessions write to them</li>
</ul>
<h2>What they won't</h2>
<ul><li>your files, your sessions' transcripts, your keys</li></ul>`,
  );
}

const SECRET = html`<p class="dim">The part behind the # is the invite's secret. Browsers keep it to themselves, so this page can't know it and
can't show you the finished command.</p>`;

const APPROVED = html`<p class="dim">This invite was sent by e-mail and has no secret in it: <code>claudemesh</code> shows you six words. Tell them to whoever
invited you, by another way than e-mail; they let you in.</p>`;

function refusal(title: string, why: string): Page {
  return whole(title, html`<h1>${title}</h1><p>${why}</p><p>Ask whoever sent it to you for a new link.</p>`);
}

function whole(title: string, content: Page): Page {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body><main>${content}</main></body>
</html>
`;
}

function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
