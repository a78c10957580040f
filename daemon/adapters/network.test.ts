// What a broker may cost whoever asks it: time and bytes are bounded, whatever it does.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { codeOfAsync } from "#test/code-of.ts";
import { fetchJson, fetchJsonWithin } from "./network.ts";

const POST = { body: {}, headers: {} };

/** Its address. */
async function serving(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.each<[string, RequestListener]>([
  ["never answers", () => {}],
  ["never comes to an end", (_, response) => void response.write('{"a":')],
  [
    "drips",
    (_, response) => {
      const timer = setInterval(() => response.write(" "), 10);
      response.once("close", () => clearInterval(timer));
    },
  ],
])("a broker that %s is given up", async (_, answer) => {
  const url = await serving(answer);
  const impatient = fetchJsonWithin({ ms: 200, bytes: 1e6 });
  expect(await codeOfAsync(impatient(url))).toBe("timeout");
  expect(await codeOfAsync(impatient(url, POST))).toBe("timeout");
});

test("what holds its answer back by intent is waited for", async () => {
  const answered = Promise.withResolvers<void>();
  const url = await serving(async (_, response) => {
    await answered.promise;
    response.end('{"late":true}');
  });
  const impatient = fetchJsonWithin({ ms: 1, bytes: 1e6 });
  const asked = impatient(url, { ...POST, waitMs: 60_000 });
  expect(await codeOfAsync(impatient(url, POST))).toBe("timeout");
  answered.resolve();
  expect(await asked).toMatchObject({ status: 200, body: { late: true } });
});

test("an answer without end is read as far as its limit", async () => {
  let sent = 0;
  const url = await serving((_, response) => {
    const more = () => {
      while (response.write(" ".repeat(65_536))) sent += 65_536;
    };
    response.on("drain", more);
    more();
  });
  expect(await codeOfAsync(fetchJson(url))).toBe("too_large");
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test.each([
  ["nothing", ""],
  ["no JSON", "<html>"],
  ["half of it", '{"a":'],
])("an answer of %s is null", async (_, text) => {
  const url = await serving((_, response) => void response.end(text));
  expect(await fetchJson(url)).toMatchObject({ status: 200, body: null });
});

test("a broker that sends elsewhere isn't followed, and one that isn't there is offline", async () => {
  const url = await serving((_, response) => {
    response.writeHead(307, { location: "http://127.0.0.1:9/" }).end();
  });
  expect(await codeOfAsync(fetchJson(url, POST))).toBe("offline");
  expect(await codeOfAsync(fetchJson("http://127.0.0.1:9/"))).toBe("offline");
});
