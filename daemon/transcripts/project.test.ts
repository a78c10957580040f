import { expect, test } from "vitest";
import { OUTSIDE, projectAt } from "./project.ts";

const project = projectAt("/home/alice/payments");
const CWD = "/home/alice/payments/src";

test.each([
  ["/home/alice/payments/src/a.ts", "src/a.ts"],
  ["/home/alice/payments", "."],
  ["a.ts", "src/a.ts"],
  ["../README.md", "README.md"],
  ["/home/alice/payments/../other/x", null],
  ["../../other/x", null],
  ["/home/alice/payments-2/x", null],
  ["/etc/passwd", null],
  ["~/x", null],
])("%s is %s", (path, shown) => {
  expect(project.inside(path, CWD)).toBe(shown);
});

test("without a folder nothing is inside", () => {
  expect(projectAt(null).inside("/home/alice/payments/a.ts", "/")).toBe(null);
});

test.each([
  ["cat /etc/passwd", `cat ${OUTSIDE}`],
  ["cat /home/alice/payments/src/a.ts", "cat src/a.ts"],
  ["cd /home/alice/payments && npm test 2>/dev/null", "cd . && npm test 2>/dev/null"],
  ["cp ~/.ssh/id_rsa x; ls ~", `cp ${OUTSIDE} x; ls ${OUTSIDE}`],
  [`ls $HOME/.aws ${"$"}{HOME}/x ~bob/y`, `ls ${OUTSIDE} ${OUTSIDE} ${OUTSIDE}`],
  ["cd ../../other && ls ..", `cd ${OUTSIDE} && ls .`],
  ["cat src/../../../other/x", `cat ${OUTSIDE}`],
  ["cat '/home/alice/My Things/x' \"/home/alice/payments/a b\"", `cat '${OUTSIDE}' "a b"`],
  ["cat /home/alice/My\\ Things/x", `cat ${OUTSIDE}`],
  ["docker run -v /home/alice/other:/data x", `docker run -v ${OUTSIDE}:${OUTSIDE} x`],
  ["scp host:/home/bob/x .", `scp host:${OUTSIDE} .`],
  ["PATH=/opt/x/bin:/usr/bin make --dir=/tmp/y", `PATH=${OUTSIDE}:${OUTSIDE} make --dir=${OUTSIDE}`],
  ["open file:///home/alice/x file:///home/alice/payments/src/a.ts", `open ${OUTSIDE} src/a.ts`],
  ["type C:\\Users\\alice\\x", `type ${OUTSIDE}`],
  ["curl https://example.com/a/b npm run a/b", "curl https://example.com/a/b npm run a/b"],
  ["grep -rn a ./src src/b.ts a...b main..HEAD", "grep -rn a ./src src/b.ts a...b main..HEAD"],
])("%s", (words, shown) => {
  expect(project.shown(words, CWD)).toBe(shown);
});
