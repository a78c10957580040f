/**
 * What is hidden of words that leave this machine: what is, or stands where, a secret is. Rather too much than too little:
 * who reads them wants to know what was done, not with which words exactly. The patterns for known tokens follow their
 * issuers' documentation and the rules of gitleaks (github.com/gitleaks/gitleaks, config/gitleaks.toml). Each starts at the
 * beginning of a word and repeats within bounds, so that no text makes them slow.
 */

export const HIDDEN = "[hidden]";

type Rule = { what: string; pattern: RegExp; into?: string };

/** Part of a name whose value is a secret. */
const SECRET_NAME =
  "(?:key|token|secret|bearer|pass(?:word|wd|phrase|code)?(?![a-z])|pwd|pw(?![a-z])|credential|auth(?!or)|cookie|private|signature|salt|dsn|conn(?:ection)?_?str(?:ing)?|webhook|otp|sessid)";
/** What a shell takes for one word, and the value of a field: quoted, escaped or plain; without its closing quote, to the end. */
const VALUE = `(?:"(?:[^"\\\\]|\\\\[^])*(?:"|$)|'[^']*(?:'|$)|\\\\[^]|[^\\s"'\\\\;|&])+`;
/** The same, up to where a shell sends its output elsewhere. */
const WORD = VALUE.replace("|&]", "|&<>]");
const WORD_START = "(?<![A-Za-z0-9_.-])";

/** In the order in which they are applied. */
export const RULES: readonly Rule[] = [
  {
    what: "private keys",
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY[A-Z ]{0,10}-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY[A-Z ]{0,10}-----|$)/g,
  },
  { what: "credentials in URLs", pattern: /([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/'"]+@/gi, into: `$1${HIDDEN}@` },
  {
    what: "codes in URLs",
    pattern: /([?&](?:sig|code|key|state|nonce|hash)=)[^\s&"']+/gi,
    into: `$1${HIDDEN}`,
  },
  {
    what: "webhooks, whose path is the secret",
    pattern: /(hooks\.slack\.com\/|discord(?:app)?\.com\/api\/webhooks\/|webhook\.office\.com\/)[^\s"']+/gi,
    into: `$1${HIDDEN}`,
  },
  {
    what: "headers",
    pattern:
      /((?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{0,40}(?:key|token|auth|secret|signature)[a-z-]{0,40})(["']?\s{0,5}[:=]\s{0,5}["']?)[^"'\n]+/gi,
    into: `$1$2${HIDDEN}`,
  },
  { what: "bearers", pattern: /\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}/gi, into: `$1$2${HIDDEN}` },
  {
    what: "what is piped to where a secret is wanted",
    pattern: /\b(echo|printf)\b[^|\n]*(?=\|[^\n]*(?:stdin|sudo\s+-S|with-token|secret|passwd|login))/gi,
    into: `$1 ${HIDDEN} `,
  },
  {
    what: "what is put into a file",
    pattern: new RegExp(
      `\\b(echo|printf)(?:\\s{1,5}(?!\\d?>)${WORD}){1,200}(?=\\s{0,5}(?:\\d?>|\\|\\s{0,5}(?:sudo\\s+)?tee\\b))`,
      "g",
    ),
    into: `$1 ${HIDDEN}`,
  },
  {
    what: "what is given as standard input",
    pattern: new RegExp(`(<<<\\s{0,5})${VALUE}`, "g"),
    into: `$1${HIDDEN}`,
  },
  {
    what: "values of Kubernetes, Vault and GitHub secrets",
    pattern: /(--from-literal[= ]|\bvault\s+(?:kv\s+put|write|login)\s|\bsecrets?\s+set\s)[^\n;|&]+/gi,
    into: `$1${HIDDEN}`,
  },
  {
    what: "passwords behind short flags",
    pattern: new RegExp(
      `\\b((?:sshpass|docker\\s+login|podman\\s+login|mongo\\w*|mysql\\w*|mariadb\\w*|ldap\\w+|redis-cli|zip|unzip|7z)\\b[^|;&\\n]{0,300}?\\s-[pPaw])\\s?${VALUE}`,
      "gi",
    ),
    into: `$1 ${HIDDEN}`,
  },
  {
    what: "user and password as one word",
    pattern: /(\s(?:-u|-U|--user|--proxy-user)[\s=]?["']?)[^\s:"']+:[^\s"']*/g,
    into: `$1${HIDDEN}`,
  },
  {
    what: "flags",
    pattern: new RegExp(
      `(?<![\\w-])(--?[a-z0-9-]{0,40}?${SECRET_NAME}[a-z0-9_-]{0,40})(=|\\s{1,5})(?!-)${VALUE}`,
      "gi",
    ),
    into: `$1$2${HIDDEN}`,
  },
  {
    what: "assignments and fields",
    pattern: new RegExp(
      `${WORD_START}([A-Za-z0-9_.-]{0,80}?${SECRET_NAME}[A-Za-z0-9_.-]{0,80}["']?\\s{0,5}(?:=>|:?=|:)\\s{0,5})${VALUE}`,
      "gi",
    ),
    into: `$1${HIDDEN}`,
  },
  {
    what: "names in settings, followed by their value",
    pattern: new RegExp(
      `(?<![A-Za-z0-9])(\\w{0,60}_(?:token|secret|password|passwd|access_key|api_key|auth_?token)\\s{1,5})${VALUE}`,
      "gi",
    ),
    into: `$1${HIDDEN}`,
  },
  { what: "JSON web tokens", pattern: /\beyJ[\w-]{8,}(?:\.[\w-]*){1,4}/g },
  {
    what: "AWS key ids",
    pattern: /\b(?:A3T[A-Z0-9]|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b/g,
  },
  { what: "GitHub, GitLab", pattern: /\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|gl[a-z]{2,5}-[\w-]{16,})/g },
  { what: "Slack", pattern: /\bx(?:ox[a-z]|app)-[\w-]{8,}/g },
  {
    what: "OpenAI, Anthropic and others alike",
    pattern: /\b(?:sk|rk|pk|gsk|hf|r8|pplx|xai|tvly|fw)[-_][\w-]{16,}/g,
  },
  { what: "Stripe", pattern: /\b(?:[srp]k_(?:live|test)_\w{8,}|whsec_[\w+/=]{8,})/g },
  { what: "Google", pattern: /\b(?:AIza[\w-]{30,}|ya29\.[\w-]{10,}|GOCSPX-[\w-]{10,})/g },
  {
    what: "package registries",
    pattern: /\b(?:npm_\w{20,}|pypi-[\w-]{16,}|rubygems_\w{20,}|dckr_pat_[\w-]{16,}|cio\w{32,})/g,
  },
  {
    what: "SendGrid, Mailgun, Brevo, Twilio",
    pattern: /\b(?:SG\.[\w-]{10,}\.[\w-]{10,}|key-[0-9a-z]{24,}|xkeysib-[\w-]{16,}|(?:SK|AC)[0-9a-f]{32})\b/g,
  },
  {
    what: "Shopify, Square, DigitalOcean, Vault, Terraform, Doppler, Tailscale, Figma, Linear, Notion, Postman, New Relic, Supabase",
    pattern:
      /\b(?:shp(?:at|ca|pa|ss)_\w{16,}|sq0[a-z]{3}-[\w-]{16,}|do[opr]_v1_\w{16,}|hv[sbr]\.[\w-]{16,}|\w{14}\.atlasv1\.[\w-]{16,}|dp\.[a-z]{2,4}\.[\w.-]{16,}|tskey-[\w-]{8,}|figd_[\w-]{16,}|lin_(?:api|oauth)_\w{16,}|(?:ntn|secret)_\w{16,}|PMAK-[\w-]{16,}|NRAK-\w{16,}|sbp_\w{16,})/g,
  },
  { what: "Telegram bots", pattern: /\b\d{8,10}:[\w-]{35}\b/g },
  { what: "age", pattern: /\bAGE-SECRET-KEY-1[A-Z0-9]{20,}/g },
  // Of people who had no say in it. What Git calls its own user at a host is none.
  {
    what: "e-mail addresses",
    pattern: /(?<![\w.+-])(?!git@)[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}/g,
  },
];

/** What may be random: its looks decide. */
const CANDIDATE = /[A-Za-z0-9+/_=-]{20,}/g;

export function redact(text: string): string {
  let shown = text;
  for (const { pattern, into = HIDDEN } of RULES) shown = shown.replace(pattern, into);
  return shown.replace(CANDIDATE, (run) => (looksRandom(run) ? HIDDEN : run));
}

/** A key without a name or a known beginning: hex and the like, or letters of both cases with digits strewn in. */
function looksRandom(run: string): boolean {
  if (/[a-z0-9]{32,}/.test(run) && digitsIn(run) >= 6) return true;
  if (run.length >= 32 && !run.includes("/") && isMixed(run)) return true;
  // As long as an AWS secret key, whose slashes may fall anywhere.
  if (run.length === 40 && isMixed(run)) return true;
  return run.split(/[/_-]/).some((part) => part.length >= 20 && isMixed(part));
}

function isMixed(text: string): boolean {
  return /[a-z]/.test(text) && /[A-Z]/.test(text) && (text.match(/\d+/g)?.length ?? 0) >= 2;
}

function digitsIn(text: string): number {
  return text.match(/\d/g)?.length ?? 0;
}
