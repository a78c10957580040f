import { expect, test } from "vitest";
import { HIDDEN, RULES, redact } from "./redact.ts";

// Made up, and put together here, so that no scanner of this repository takes them for real ones.
const letters = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA1bC2dE3fG4";
const of = (length: number) => letters.repeat(3).slice(0, length);
const lower = (length: number) => of(length).toLowerCase();
const upper = (length: number) => of(length).toUpperCase();
const hex = (length: number) => "0a1b2c3d4e5f6978".repeat(8).slice(0, length);

/** The words, and the secret in them that must not be left, not even in part. */
const SECRETS: readonly (readonly [words: string, secret: string])[] = [
  ["export STRIPE_KEY=hunter2", "hunter2"],
  ["API_TOKEN='two words' npm publish", "two words"],
  ['DB_PASSWORD="a \\" b" ./run', 'a \\" b'],
  ["PASSWORD=abc,def)ghi ./run", "def"],
  ["SECRET=abc'd e'f\\ g npm start", "d e"],
  ["password: hunter2", "hunter2"],
  ['{"apiKey": "hunter2", "other": 1}', "hunter2"],
  ["{'client_secret':'hunter2'}", "hunter2"],
  ["config.authToken = 'hunter2'", "hunter2"],
  ["const passphrase := hunter2", "hunter2"],
  ["MYSQL_PWD=hunter2 mysql -u root", "hunter2"],
  ["connection_string=Server=x;Uid=y", "Server"],
  ['curl -H "Authorization: Bearer hunter2hunter2" https://x.test', "hunter2"],
  ["curl -H 'Authorization: token hunter2'", "hunter2"],
  ["curl -H 'X-Api-Key: hunter2' x.test", "hunter2"],
  ["curl -H 'Cookie: sid=hunter2; theme=dark'", "hunter2"],
  ["curl --oauth2-bearer hunter2 x.test", "hunter2"],
  ["it said Bearer hunter2hunter2", "hunter2"],
  ["curl -u admin:hunter2 x.test", "hunter2"],
  ["curl -uadmin:hunter2 x.test", "hunter2"],
  ["curl --user admin:hunter2 x.test", "hunter2"],
  ["curl --proxy-user='admin:hunter2' x.test", "hunter2"],
  ["git clone https://alice:hunter2@github.com/a/b", "hunter2"],
  ["psql postgres://app:p@ss@db.test/app", "p@ss"],
  ["redis-cli -u redis://:hunter2@cache.test", "hunter2"],
  ["curl 'https://x.test/?access_token=hunter2&page=2'", "hunter2"],
  ["curl 'https://x.test/blob?sv=1&sig=hunter2'", "hunter2"],
  ["curl 'https://x.test/?X-Amz-Signature=hunter2'", "hunter2"],
  ["vercel --token hunter2", "hunter2"],
  ["tool --api-key=hunter2 go", "hunter2"],
  ["tool --db_password 'two words'", "two words"],
  ["mysql -u root -phunter2 app", "hunter2"],
  ["sshpass -p hunter2 ssh a@b", "hunter2"],
  ["docker login -u bob -p hunter2", "hunter2"],
  ["redis-cli -h x -a hunter2 ping", "hunter2"],
  ["ldapsearch -D cn=x -w hunter2", "hunter2"],
  ["echo hunter2 | docker login --password-stdin", "hunter2"],
  ["echo 'hunter2' | sudo -S true", "hunter2"],
  ["printf %s hunter2 | gh auth login --with-token", "hunter2"],
  ["echo 'what a; file holds' more > src/a.ts", "holds"],
  ["echo what>a.txt", "what"],
  ["cd x && printf '%s' \"what\" | sudo tee /etc/x", "what"],
  ["tee a.txt <<< 'what it holds'", "holds"],
  ["kubectl create secret generic x --from-literal=a=hunter2", "hunter2"],
  ["vault kv put kv/x name=hunter2", "hunter2"],
  ["gh secret set NAME -b hunter2", "hunter2"],
  ["aws configure set aws_secret_access_key hunter2", "hunter2"],
  ["npm config set //registry.npmjs.org/:_authToken hunter2", "hunter2"],
  ["openssl rsa -passin pass:hunter2 -in x", "hunter2"],
  [`token is eyJ${of(20)}.eyJ${of(20)}.${of(30)}`, of(12)],
  [`AKIA${upper(16)}`, upper(10)],
  [`ASIA${upper(16)}`, upper(10)],
  [`gh${"p"}_${of(36)}`, of(12)],
  [`github_${"pat"}_${of(40)}`, of(12)],
  [`gl${"pat"}-${of(20)}`, of(12)],
  [`xox${"b"}-1234567890-${of(24)}`, of(12)],
  [`xa${"pp"}-1-${of(24)}`, of(12)],
  [`s${"k"}-ant-api03-${of(40)}`, of(12)],
  [`s${"k"}-proj-${of(40)}`, of(12)],
  [`s${"k"}_live_${of(24)}`, of(12)],
  [`rk_${"test"}_${of(24)}`, of(12)],
  [`wh${"sec"}_${of(24)}`, of(12)],
  [`AI${"za"}${of(35)}`, of(12)],
  [`ya${"29"}.${of(40)}`, of(12)],
  [`n${"pm"}_${of(36)}`, of(12)],
  [`py${"pi"}-${of(40)}`, of(12)],
  [`dckr_${"pat"}_${of(27)}`, of(12)],
  [`S${"G"}.${of(22)}.${of(43)}`, of(12)],
  [`h${"f"}_${of(34)}`, of(12)],
  [`shp${"at"}_${hex(32)}`, hex(12)],
  [`do${"p"}_v1_${hex(64)}`, hex(12)],
  [`hv${"s"}.${of(24)}`, of(12)],
  [`AC${hex(32)}`, hex(12)],
  [`12345678:${of(35)}`, of(12)],
  [`AGE-${"SECRET"}-KEY-1${upper(58)}`, upper(12)],
  [`https://hooks.slack.com/services/T0/B0/${of(10)}`, of(10)],
  [`https://discord.com/api/webhooks/1/${of(10)}`, of(10)],
  [`-----BEGIN OPENSSH PRIVATE KEY-----\nline one\nline two\n-----END OPENSSH PRIVATE KEY-----`, "line"],
  ["-----BEGIN RSA PRIVATE KEY-----\ncut off", "cut off"],
  [`go ${hex(40)} go`, hex(12)],
  [`go ${hex(64)} go`, hex(12)],
  [`go ${of(43)} go`, of(12)],
  [`go ${of(13)}/${of(7)}/${of(18)} go`, of(12)],
  [`go ${lower(36)} go`, lower(12)],
  ["mail alice.b+c@example.com now", "alice"],
];

test.each(SECRETS)("%s", (words, secret) => {
  expect(words).toContain(secret);
  const shown = redact(words);
  expect(shown).not.toContain(secret);
  expect(shown).toContain(HIDDEN);
});

test("what is hidden leaves the rest as it was", () => {
  expect(redact("DB_PASSWORD=hunter2 npm test && git push")).toBe(
    `DB_PASSWORD=${HIDDEN} npm test && git push`,
  );
  expect(redact('curl -H "Authorization: Bearer hunter2" https://x.test/a')).toBe(
    `curl -H "Authorization: ${HIDDEN}" https://x.test/a`,
  );
  expect(redact("git clone https://alice:hunter2@github.com/a/b")).toBe(
    `git clone https://${HIDDEN}@github.com/a/b`,
  );
  expect(redact("curl 'https://x.test/?access_token=hunter2&page=2'")).toBe(
    `curl 'https://x.test/?access_token=${HIDDEN}&page=2'`,
  );
});

test.each([
  "npm test -- --run src/payments/refund.test.ts",
  "git commit -m 'Refunds: author and tests' && git push origin main",
  "echo done && make 2>&1 | tail -3",
  "docker run -p 8080:80 nginx",
  "mkdir -p src/deep/folder",
  "grep -rn 'createReceiptSender' sdk/features",
  "Tests  12 passed (12)",
  "test result: ok. 5 passed; 0 failed",
  "git clone git@github.com:acme/payments.git",
  "node --import ./test/register.mjs src/ThisIsAVeryLongCamelCaseFileName.ts",
  "cat protocol/features/workspace.ts docs/adr/0026-focus.md",
])("%s is nothing to hide", (words) => {
  expect(redact(words)).toBe(words);
});

test("no rule takes long over words made to be slow", () => {
  const slow = ["a".repeat(16_384), "a.".repeat(8192), "-".repeat(16_384), `"${"\\".repeat(16_000)}`];
  const ugly = [
    ...slow,
    "key ".repeat(4096),
    "x:".repeat(8192),
    "mysql ".repeat(2700),
    "a@a.".repeat(4096),
    "echo a ".repeat(2300),
  ];
  for (const { what, pattern } of RULES)
    for (const text of ugly) {
      const begin = process.cpuUsage();
      text.replace(pattern, "");
      const { user } = process.cpuUsage(begin);
      // Far above what any takes, far below what backtracking without bounds does.
      expect(user / 1000, `${what}: ${text.slice(0, 12)}`).toBeLessThan(500);
    }
});
