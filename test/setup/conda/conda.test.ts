import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Machine } from "../../../src/setup/machine.ts";
import { noteMaking, readHalfMade } from "../../../src/setup/making.ts";
import type { SetupProgress } from "../../../src/setup/progress.ts";
import type { SetupRequest } from "../../../src/setup/request.ts";
import { setup, type SetupResult } from "../../../src/setup/setup.ts";
import { recordFile } from "../../../src/python/recorded.ts";
import { configDirectory } from "../../../src/python/surroundings.ts";
import { testMachine, type TestMachine } from "../../fixtures/environments/machine.ts";

type Kind = "conda" | "mamba" | "micromamba";

async function condaMachine(kind: Kind, environ: NodeJS.ProcessEnv = {}): Promise<TestMachine> {
  const machine = await testMachine(environ);
  await machine.tool("conda", kind);
  await machine.python(join(machine.bin, "python"), "no-torch");
  return machine;
}

function linux(machine: TestMachine, environ: NodeJS.ProcessEnv = {}): Machine {
  const at = { ...machine.at, environ: { ...machine.at.environ, ...environ } };
  return { at, isRoot: false, osRelease: "", distributionPython: "", arch: "x64" };
}

interface Run {
  readonly said: string[];
  readonly progress: SetupProgress[];
  readonly result: Promise<SetupResult>;
}

function run(machine: Machine, request: Partial<SetupRequest> = {}): Run {
  const said: string[] = [];
  const progress: SetupProgress[] = [];
  const result = setup(
    {
      via: "conda",
      say: (line) => void said.push(line),
      echo: () => undefined,
      onProgress: (event) => void progress.push(event),
      ...request,
    },
    machine,
  );
  return { said, progress, result };
}

function log(machine: TestMachine): string[] {
  const file = join(machine.root, "log");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

/** Interrupts a setup when its manager has written this to its log. */
async function interruptAt(machine: TestMachine, line: string): Promise<string[]> {
  const stop = new AbortController();
  const slow = linux(machine, { ISOTORCH_STANDIN_PAUSE: "0.05" });
  const echoed: string[] = [];
  const { said, result } = run(slow, { signal: stop.signal, echo: (text) => void echoed.push(text) });
  const watch = setInterval(() => {
    if (log(machine).some((written) => written.startsWith(line))) stop.abort();
  }, 5);
  await expect(result.finally(() => clearInterval(watch))).rejects.toMatchObject({
    code: "ABORTED",
    message: expect.stringContaining("the next setup goes on from there"),
    hint: "Start it again with: isotorch setup --via conda --variant cpu",
  });
  return [...said, ...echoed];
}

describe.skipIf(process.platform === "win32")("an interrupted setup", () => {
  test.each(["conda", "micromamba"] as const)(
    "of %s ends its manager, is told apart from a whole one, and goes on from its downloads",
    async (kind) => {
      await using machine = await condaMachine(kind);
      const prefix = join(machine.root, "conda/envs/isotorch");
      const told = await interruptAt(machine, `${kind} linked numpy`);
      expect(told).toContain(
        `Interrupted. Waiting until ${kind} has put its work away; Ctrl-C again ends it at once.`,
      );
      expect(told.join("\n")).not.toContain("Traceback");
      expect(log(machine).at(-1)).toBe(`${kind} interrupted`);
      expect(existsSync(recordFile(machine.at))).toBe(false);
      expect(existsSync(join(prefix, "conda-meta"))).toBe(true);

      const { said, result } = run(linux(machine));
      expect(await result).toMatchObject({ via: "conda", environment: { prefix } });
      expect(said[1]).toBe(
        `  remove ${prefix}, which an interrupted setup left half made; its downloads are kept`,
      );
      expect(said[2]).toContain("create");
      const downloads = log(machine).filter((line) => line.includes("downloaded"));
      expect(downloads).toHaveLength(7);
      expect(new Set(downloads).size).toBe(7);
      expect(existsSync(join(configDirectory(machine.at), "making.json"))).toBe(false);
    },
  );

  test("in the middle of the downloads fetches only the rest", async () => {
    await using machine = await condaMachine("mamba");
    await interruptAt(machine, "mamba downloaded pillow");
    const before = log(machine).filter((line) => line.includes("downloaded")).length;
    expect(before).toBeLessThan(7);
    await run(linux(machine)).result;
    expect(log(machine).filter((line) => line.includes("downloaded"))).toHaveLength(7);
  });

  test("of an environment that is brought up to date never removes it", async () => {
    await using machine = await condaMachine("conda");
    await run(linux(machine)).result;
    await writeFile(
      join(configDirectory(machine.at), "making.json"),
      JSON.stringify({ prefix: join(machine.root, "conda/envs/isotorch"), verb: "update" }),
    );
    const { said, result } = run(linux(machine));
    await result;
    expect(said[0]).toMatch(/^Updating the environment .*isotorch via conda/);
    expect(said[1]).toContain(" install -y -p ");
    expect(said[2]).toMatch(/^Updated the environment: /);
  });

  test("that had made everything but its last line is brought up to date instead of made anew", async () => {
    await using machine = await condaMachine("conda");
    await run(linux(machine)).result;
    const note = { prefix: join(machine.root, "conda/envs/isotorch"), verb: "create" };
    await writeFile(join(configDirectory(machine.at), "making.json"), JSON.stringify(note));
    const { said, result } = run(linux(machine));
    await result;
    expect(said[1]).toContain(" install -y -p ");
  });

  test("has half-unpacked packages taken out of the cache, by what it noted", async () => {
    await using machine = await condaMachine("conda");
    await interruptAt(machine, "conda linked numpy");
    // What conda's own interruption leaves: a record, and not everything that it is of.
    const broken = join(machine.root, "conda/pkgs/numpy-1.26.4-py311_0");
    expect(existsSync(join(broken, "info/repodata_record.json"))).toBe(true);
    await rm(join(broken, "info/paths.json"));
    const { said, result } = run(linux(machine));
    await result;
    expect(said.join("\n")).toContain("removed numpy-1.26.4-py311_0 from the cache");
    expect(said.join("\n").match(/from the cache/g)).toHaveLength(1);
    expect(log(machine).filter((line) => line === "conda downloaded numpy-1.26.4")).toHaveLength(2);
  });

  test("is half made only where something was made, and not all of it", async () => {
    await using machine = await condaMachine("conda");
    const { at } = machine;
    const prefix = join(machine.root, "conda/envs/isotorch");
    await noteMaking({ prefix, verb: "create" }, at);
    expect(await readHalfMade(at)).toBeUndefined();
    await mkdir(join(prefix, "conda-meta"), { recursive: true });
    expect(await readHalfMade(at)).toBe(prefix);
    await rm(prefix, { recursive: true });
    await run(linux(machine)).result;
    await noteMaking({ prefix, verb: "update" }, at);
    expect(await readHalfMade(at)).toBeUndefined();
  });

  test("says with --dry-run what it would remove, and removes nothing", async () => {
    await using machine = await condaMachine("conda");
    await interruptAt(machine, "conda downloaded numpy");
    const { said, result } = run(linux(machine), { dryRun: true });
    await result;
    expect(said[1]).toContain("left half made");
    expect(existsSync(join(machine.root, "conda/envs/isotorch/conda-meta"))).toBe(true);
  });
});

describe.skipIf(process.platform === "win32")("what is not ours", () => {
  test("a directory in the way that no conda made is left alone, and named", async () => {
    await using machine = await condaMachine("conda");
    const prefix = join(machine.root, "conda/envs/isotorch");
    await mkdir(prefix, { recursive: true });
    await writeFile(join(prefix, "thesis.txt"), "years of work");
    await expect(run(linux(machine)).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: `${prefix} is in the way: it is not an environment of conda.`,
    });
    expect(await readFile(join(prefix, "thesis.txt"), "utf8")).toBe("years of work");
  });

  test("a setup that is at work is waited for, not disturbed", async () => {
    await using machine = await condaMachine("conda");
    const slow = run(linux(machine, { ISOTORCH_STANDIN_PAUSE: "0.1" }));
    while (log(machine).length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    await expect(run(linux(machine)).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: "Another isotorch setup is at work.",
    });
    expect(await slow.result).toMatchObject({ via: "conda" });
  });
});

describe.skipIf(process.platform === "win32")("a failure of the manager", () => {
  test.each([
    ["unreachable", "The conda channels could not be reached.", "HTTPS_PROXY"],
    ["full", "The disk is full.", "Make room"],
    ["unsolvable", "Encountered problems while solving:\n      - package is excluded", "Run it by hand"],
    [
      "terms",
      "    conda tos accept --override-channels --channel https://repo.example/pkgs/main",
      "Do what it says",
    ],
  ])("%s is told whole", async (net, message, hint) => {
    await using machine = await condaMachine("conda", { ISOTORCH_STANDIN_NET: net });
    await expect(run(linux(machine)).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  test("that does not say where its environments are is told as that", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.bin, "conda"), "broken");
    await expect(run(linux(machine)).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("does not say where its environments are (error while loading"),
    });
  });
});

describe.skipIf(process.platform === "win32")("the variant", () => {
  test.each([
    ["Quadro P2000, 6.1, 472.39", "cu113", "env.yml, because Quadro P2000 is sm_61"],
    ["NVIDIA GeForce RTX 4090, 8.9, 550.54", "cu113", "env.yml, because NVIDIA GeForce RTX 4090 is sm_89"],
    [
      "NVIDIA H100, 9.0, 550.54",
      "cuda",
      "env.cuda.yml, because NVIDIA H100 is sm_90, which CUDA 11.3 does not know",
    ],
    ["", "cpu", "env.cpu.yml, because nvidia-smi finds no NVIDIA GPU"],
  ])("for %j is %s", async (gpu, variant, why) => {
    await using machine = await condaMachine("micromamba");
    const tool = join(machine.bin, "nvidia-smi");
    await writeFile(tool, gpu === "" ? "#!/bin/sh\nexit 9\n" : `#!/bin/sh\necho "${gpu}"\n`, { mode: 0o755 });
    const { said, result } = run(linux(machine), { dryRun: true });
    expect((await result).commands[0]).toContain(why.split(",")[0]?.replace(".yml", ".specs.txt"));
    expect(said[0]).toBe(`Would make an environment via conda (asked for; ${why}):`);
    const asked = run(linux(machine), { dryRun: true, variant: variant === "cpu" ? "cuda" : "cpu" });
    expect((await asked.result).commands[0]).toContain(
      variant === "cpu" ? "env.cuda.specs" : "env.cpu.specs",
    );
  });

  test("is none of apt's or venv's business", async () => {
    await using machine = await condaMachine("conda");
    await expect(run(linux(machine), { via: "venv", variant: "cpu" }).result).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: "isotorch setup --via conda --variant cpu",
    });
  });
});

describe.skipIf(process.platform === "win32")("progress", () => {
  test("of conda moves with its downloads, while it says nothing", async () => {
    await using machine = await condaMachine("conda");
    const gate = join(machine.root, "gate");
    await mkdir(gate);
    const slow = linux(machine, { ISOTORCH_STANDIN_GATE: gate });
    // Each download waits in its middle until its progress was seen.
    const seen: SetupProgress[] = [];
    const { result } = run(slow, {
      onProgress: (event) => {
        if (event.phase !== "downloading" || event.finished || !event.name) return;
        if (!existsSync(join(gate, event.name))) seen.push(event);
        writeFileSync(join(gate, event.name), "");
      },
    });
    await result;
    expect(seen).toHaveLength(7);
    expect(seen.map(({ loaded }) => loaded)).toEqual([500, 1500, 2500, 3500, 4500, 5500, 6500]);
    expect(seen.map(({ total }) => total)).toEqual(seen.map(() => 7000));
    const values = seen.map(({ progress = 0 }) => progress);
    expect(new Set(values).size).toBe(7);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  });

  test("has nothing to download where everything is there", async () => {
    await using machine = await condaMachine("conda");
    await run(linux(machine)).result;
    const { progress, result } = run(linux(machine));
    await result;
    expect(progress.map(({ phase }) => phase)).not.toContain("downloading");
    expect(progress.at(-1)).toMatchObject({ phase: "done", progress: 100 });
  });

  test.each(["conda", "mamba", "micromamba"] as const)("of %s goes from nothing to the end", async (kind) => {
    await using machine = await condaMachine(kind);
    const { progress, result } = run(linux(machine));
    await result;
    const values = progress.flatMap((event) => event.progress ?? []);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values.at(-1)).toBe(100);
    const finished = progress.filter((event) => event.phase === "downloading" && event.finished);
    expect(finished).toHaveLength(7);
    // Of two that are finished between two looks either may be seen first.
    expect(finished.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^pytorch/));
  });
});
