import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/models.ts";

let folder: string;
let printed: string;
let said: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "isotorch models-")));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((said += String(text)), true));
  // Nothing of these tests may leave the machine.
  vi.stubEnv("ISOTORCH_WEIGHTS_URL", "http://127.0.0.1:1/models/");
  vi.stubEnv("ISOTORCH_OFFLINE", undefined);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

function models(...argv: string[]): Promise<number> {
  [printed, said] = ["", ""];
  return run([...argv, "--cache-dir", folder], new AbortController().signal);
}

const lines = (): string[] => printed.trimEnd().split("\n");
const objects = (): Record<string, unknown>[] => lines().map((line) => JSON.parse(line) as never);

describe("models lists", () => {
  test("all on a line each, with what is here and what has a licence", async () => {
    await writeFile(join(folder, "resnet101-63fe2227.pth"), "");
    for (const argv of [[], ["list"]]) {
      expect(await models(...argv)).toBe(0);
      expect(lines()).toHaveLength(1 + 80 + 2);
      expect(lines()[0]).toMatch(/^model +parameters +size +acc@1 +GFLOPs +input +IMAGENET1K_…$/);
      expect(printed).toMatch(/^resnet101 +44\.5 M +171 MiB +77\.4 +7\.8 +224 {2}V1\* V2$/m);
      expect(printed).toMatch(/^vit_h_14 .* 518 {2}SWAG_E2E_V1† SWAG_LINEAR_V1†$/m);
      expect(printed).toContain(folder);
      for (const line of lines()) expect(line.length, line).toBeLessThanOrEqual(110);
    }
  });

  test("each of the weights that patterns name", async () => {
    expect(await models("regnet_y_1?8gf", "RESNET18")).toBe(0);
    expect(lines()).toHaveLength(1 + 3 + 1);
    expect(printed).toMatch(
      /^regnet_y_128gf {2}IMAGENET1K_SWAG_E2E_V1 +644\.8 M +2462 MiB +88\.2 +374\.6 +384 {2}CC-BY-NC-4\.0 {2}prefix +-$/m,
    );
    expect(printed).toMatch(/^resnet18 .* 224 {2}- +pinned +-$/m);
  });

  test("of one model also where they come from, and whereto", async () => {
    await models("vit_h_14");
    expect(lines().slice(3)).toEqual([
      "",
      "IMAGENET1K_SWAG_E2E_V1: https://download.pytorch.org/models/vit_h_14_swag-80465313.pth",
      `  ${join(folder, "vit_h_14_swag-80465313.pth")}`,
      "  CC-BY-NC-4.0: https://github.com/facebookresearch/SWAG/blob/main/LICENSE",
      "IMAGENET1K_SWAG_LINEAR_V1: https://download.pytorch.org/models/vit_h_14_lc_swag-c1eb923e.pth",
      `  ${join(folder, "vit_h_14_lc_swag-c1eb923e.pth")}`,
      "  CC-BY-NC-4.0: https://github.com/facebookresearch/SWAG/blob/main/LICENSE",
    ]);
  });

  test("one object per line with --json", async () => {
    await models("--json");
    expect(lines()).toHaveLength(114);
    await models("resnet101", "--json");
    expect(objects()).toMatchObject([
      {
        model: "resnet101",
        name: "IMAGENET1K_V1",
        url: "https://download.pytorch.org/models/resnet101-63fe2227.pth",
        path: join(folder, "resnet101-63fe2227.pth"),
        here: false,
        bytes: null,
        parameters: 44_549_160,
        licence: null,
        integrity: "pinned",
        spec: { resize: 256, crop: 224 },
      },
      { name: "IMAGENET1K_V2", spec: { resize: 232 } },
    ]);
  });

  test.each([
    [
      ["--max-size", "11MB", "--min-accuracy", "65"],
      ["mnasnet0_5", "mobilenet_v3_small", "shufflenet_v2_x1_0"],
    ],
    [["--max-size", "8.7MiB", "--min-accuracy", "65"], ["mnasnet0_5"]],
    [["resnet*", "--exclude", "resnet1*", "--weights", "*_V2"], ["resnet50"]],
    [
      ["vit_*", "--licence", "CC-BY-NC-4.0", "--weights", "*LINEAR*"],
      ["vit_b_16", "vit_h_14", "vit_l_16"],
    ],
    [["--cached"], ["alexnet"]],
  ])("those that %s leaves", async (argv, names) => {
    await writeFile(join(folder, "alexnet-owt-7be5be79.pth"), "");
    expect(await models(...argv, "--json")).toBe(0);
    expect(objects().map(({ model }) => model)).toEqual(names);
  });

  test("nothing, and says so with 1", async () => {
    expect(await models("--min-accuracy", "99")).toBe(1);
    expect([printed, said]).toEqual(["", "No weights are as they were asked for.\n"]);
    expect(await models("--min-accuracy", "99", "--json")).toBe(1);
    expect(printed).toBe("");
  });

  test.each([
    [["resnet51"], 'Did you mean "resnet50"?'],
    [["pul", "resnet50"], "`isotorch models` lists all"],
    [["--exclude", "resnet51"], 'Did you mean "resnet50"?'],
    [["--max-size", "big"], "--help"],
    [["--min-accuracy", "-1"], "--help"],
  ])("nothing that %s could mean", async (argv, hint) => {
    await expect(models(...argv)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: expect.stringContaining(hint),
    });
  });
});

describe("models pull", () => {
  test.each([
    [["pull", "IMAGENET1K_V2"], "resnet101-cd907fc2.pth"],
    [["pull", "resnet50"], "resnet50-0676ba61.pth"],
    [["pull", "resnet50", "--weights", "IMAGENET1K_V2"], "resnet50-11ad3fa6.pth"],
    [["pull", "IMAGENET1K_V2", "--model", "resnet50"], "resnet50-11ad3fa6.pth"],
    [["pull", "vit_b_16", "--model", "vit_b_16"], "vit_b_16-c867db91.pth"],
  ])("%s looks for that model's file", async (argv, file) => {
    await expect(models(...argv, "--offline")).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      hint: expect.stringContaining(join(folder, file)),
    });
    await writeFile(join(folder, file), "for the worker to check");
    expect(await models(...argv, "--offline", "--json")).toBe(0);
    expect(objects()).toMatchObject([{ path: join(folder, file), integrity: "pinned", licence: null }]);
  });

  test("says the licence on stderr before the download", async () => {
    await expect(models("pull", "vit_b_16", "--weights", "IMAGENET1K_SWAG_E2E_V1")).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
    });
    expect(said).toContain("vit_b_16's IMAGENET1K_SWAG_E2E_V1 has a licence of its own, CC-BY-NC-4.0");
    expect(printed).toBe("");
  });

  test.each([
    [["pull"], "isotorch models pull resnet50"],
    [["pull", "vit_h_14"], "IMAGENET1K_SWAG_E2E_V1, IMAGENET1K_SWAG_LINEAR_V1"],
    [["pull", "rsnet50"], 'Did you mean "resnet50"?'],
    [["pull", "resnet50", "--model", "resnet18"], "is that of a model already"],
    [["pull", "IMAGENET1K_V1", "--model", "resnet51"], 'Did you mean "resnet50"?'],
    [["pull", "IMAGENET1K_V4", "--model", "resnet50"], "Did you mean IMAGENET1K_V1?"],
  ])("%s is refused", async (argv, hint) => {
    await expect(models(...argv)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: expect.stringContaining(hint),
    });
  });
});
