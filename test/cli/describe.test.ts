import { beforeEach, describe, expect, test, vi } from "vitest";
import { COMMANDS, DESCRIBED } from "../../src/cli/registry.ts";
import { flagsOf, helpOf, parserOf } from "../../src/cli/flags/description.ts";

const seen = vi.hoisted(() => ({ flags: undefined as object | undefined }));
class Parsed extends Error {}
vi.mock("../../src/cli/flags/flags.ts", async (original) => ({
  ...(await original<object>()),
  parseFlags: (_argv: unknown, flags: object): never => {
    seen.flags = flags;
    throw new Parsed();
  },
}));
beforeEach(() => {
  seen.flags = undefined;
});

describe.each(Object.entries(COMMANDS))("%s", (name, [description, load]) => {
  test("parses the flags that its description has, and no others", async () => {
    const command = await load();
    await expect(command.run([], new AbortController().signal, DESCRIBED)).rejects.toBeInstanceOf(Parsed);
    expect(seen.flags).toEqual(parserOf(description));
  });

  test("its help names every flag, its examples begin with it, and no line is too long", () => {
    const help = helpOf(name, description);
    for (const flag of Object.keys(flagsOf(description)))
      expect(help).toMatch(new RegExp(`^  (-., )?--${flag}\\b`, "m"));
    expect(description.examples.some((example) => example.includes(`isotorch ${name}`))).toBe(true);
    expect(description.examples.length).toBeGreaterThan(0);
    for (const line of help.split("\n")) expect(line.length, line).toBeLessThanOrEqual(124);
  });
});
