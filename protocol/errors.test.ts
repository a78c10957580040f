import { describe, expect, test } from "vitest";
import { ERRORS, errorShape, fromErrorShape, isErrorCode, MeshError } from "./errors.ts";

describe("an error", () => {
  test("keeps its name, message and hint across a wire", () => {
    const error = new MeshError("conflict", "Taken.", "Choose another.");
    const shape = errorShape(error);
    expect(shape).toEqual({ code: "conflict", message: "Taken.", hint: "Choose another." });
    const back = fromErrorShape(JSON.parse(JSON.stringify(shape)));
    expect(back).toBeInstanceOf(MeshError);
    expect(errorShape(back)).toEqual(shape);
  });

  test("of another bundle's class is the same", () => {
    class Other extends Error {
      override readonly name = "MeshError";
      readonly code = "conflict";
      readonly hint = "Choose another.";
    }
    const shape = { code: "conflict", message: "Taken.", hint: "Choose another." };
    expect(errorShape(new Other("Taken."))).toEqual(shape);
  });

  test("that is not ours says nothing of its inside", () => {
    for (const inside of [
      new Error("SELECT * FROM secrets"),
      "a thrown text",
      undefined,
      { code: "conflict" },
    ]) {
      const shape = errorShape(inside);
      expect(shape.code).toBe("unexpected");
      expect(JSON.stringify(shape)).not.toMatch(/secret|thrown|conflict/);
    }
  });

  test("of a later version, or of a name that every object has, becomes unexpected", () => {
    for (const code of ["brand_new", "toString", "__proto__", "constructor", ""]) {
      expect(isErrorCode(code)).toBe(false);
      expect(fromErrorShape({ code, message: "m" })).toMatchObject({
        code: "unexpected",
        message: "m",
        hint: "",
      });
    }
  });
});

describe("the table of errors", () => {
  const rows = Object.entries(ERRORS);

  test("has names in lower case and exit codes from 1 to 9", () => {
    for (const [code, { exit }] of rows) {
      expect(code).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(exit).toBeGreaterThanOrEqual(1);
      expect(exit).toBeLessThanOrEqual(9);
    }
  });

  test("calls nothing retryable that no waiting cures: usage, permission, malformed data", () => {
    const retryable = rows.filter(([, { retry }]) => retry).map(([, { exit }]) => exit);
    for (const exit of [1, 2, 4, 5, 7, 9]) expect(retryable).not.toContain(exit);
  });
});
