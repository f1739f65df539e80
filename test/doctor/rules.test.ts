/**
 * What the rules of `doctor` say to recorded answers of `probe --import`. The one of Debian was recorded, but for its BLAS; in
 * the others the values and messages are put in that PyTorch, Python and the loaders give in such a case.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Findings } from "../../src/doctor/findings.ts";
import { problemsIn, RULES } from "../../src/doctor/rules.ts";
import type { Candidate, Environment } from "../../src/python/environment.ts";
import { parseExamination } from "../../src/python/examine.ts";
import type { Lost } from "../../src/python/lost.ts";
import { CACHE, findings, P2000, V1 } from "./findings.ts";

function refused(reason: string, over: Partial<Candidate> = {}): Candidate {
  const place = {
    python: "/x/bin/python",
    kind: "conda" as const,
    source: "CONDA_PREFIX",
    contents: undefined,
  };
  return { ...place, ...over, accepted: false, reason, exists: true };
}

const GONE: Lost = {
  was: "used",
  python: "/x/bin/python",
  source: "CONDA_PREFIX",
  since: "2026-11-20",
  reason: "does not exist",
  exists: false,
};
/** No environment is used, though one would fit. */
const LOST: Partial<Findings> = { environment: undefined, examination: undefined };
const NOTHING: Partial<Findings> = { environment: undefined, examination: undefined, candidates: [] };

describe("a whole environment has no problem", () => {
  test.each(["debian-cpu", "cu113-p2000"])("%s", (recorded) => {
    expect(problemsIn(findings(recorded))).toEqual([]);
    expect(problemsIn(findings(recorded, { gpu: recorded === "debian-cpu" ? undefined : P2000 }))).toEqual(
      [],
    );
  });
});

const CONDA_INSTALL =
  "/opt/conda/bin/conda install -y -p /opt/conda/envs/isotorch --override-channels -c conda-forge";

describe("each usual breakage is known by its rule, told once, and comes with the command that mends it", () => {
  test.each<
    [rule: string, recorded: string, over: Partial<Findings>, sentence: RegExp, mend: string, level?: string]
  >([
    [
      "reference-blas",
      "reference-blas",
      {},
      /the reference BLAS: blas\/libblas\.so\.3\.11\.0 \(256 x 256 float32 in 34\.1 ms, 0\.98 GFLOP\/s\)/,
      "sudo apt-get install libopenblas0-pthread",
      "warning",
    ],
    ["no-environment", "debian-cpu", NOTHING, /^No Python here/, "npx isotorch setup"],
    [
      "record-stale",
      "debian-cpu",
      { ...LOST, lost: { ...GONE, was: "recorded", source: "setup (venv)" } },
      /recorded on 2026-11-20 is gone: \/x\/bin\/python does not exist/,
      "npx isotorch setup",
    ],
    [
      "record-stale",
      "debian-cpu",
      { ...LOST, damagedRecord: "/c/environment.json" },
      /damaged and names no Python: \/c\/environment\.json/,
      "npx isotorch setup",
    ],
    [
      "used-gone",
      "debian-cpu",
      { ...LOST, lost: GONE },
      /used before \(chosen on 2026-11-20, by CONDA_PREFIX\) is gone: \/x\/bin\/python does not exist/,
      "npx isotorch setup",
    ],
    [
      "half-made",
      "debian-cpu",
      { halfMade: "/e/isotorch" },
      /\/e\/isotorch unfinished/,
      "npx isotorch setup --via conda",
      "warning",
    ],
    [
      "python-version",
      "debian-cpu",
      {
        ...NOTHING,
        candidates: [refused("Python 3.8.18 is older than 3.9")],
        environment: findings("debian-cpu").environment,
      },
      /Python 3\.8\.18 is older than 3\.9/,
      "npx isotorch setup",
      "warning",
    ],
    [
      "wrong-architecture",
      "rosetta",
      { platform: "darwin", arch: "arm64" },
      /Rosetta/,
      "npx isotorch setup --via conda --variant cpu",
      "warning",
    ],
    ["wrong-architecture", "bits-32", {}, /32-bit/, "npx isotorch setup"],
    [
      "user-site",
      "user-site",
      {},
      /\.local\/lib\S+ has torch, numpy/,
      "Compare with PYTHONNOUSERSITE=1 set",
      "warning",
    ],
    ["ijit-notify-event", "ijit", {}, /mkl older than 2024\.1/, `${CONDA_INSTALL} mkl=2024.0`],
    ["shared-library", "libgl", {}, /libGL\.so\.1 is missing/, "sudo apt-get install libgl1"],
    ["shared-library", "libgl", { platform: "darwin" }, /libGL\.so\.1/, "Install the package of this system"],
    [
      "dll-missing",
      "dll",
      { platform: "win32" },
      /^fbgemm\.dll is missing.*Visual C\+\+/,
      "winget install --exact --id Microsoft.VCRedist.2015+.x64",
    ],
    ["symbol-version", "glibcxx", {}, /GLIBCXX_3\.4\.30/, `${CONDA_INSTALL} libstdcxx-ng`],
    ["numpy-2", "numpy-2", {}, /torch 1\.12\.1 .* NumPy 2\.1\.3/, `${CONDA_INSTALL} 'numpy<2'`],
    ["import-failed", "died", {}, /Segmentation fault/, "npx isotorch setup"],
    [
      "cpu-build",
      "cpu-build",
      { gpu: P2000 },
      /there is a Quadro P2000/,
      "npx isotorch setup --via conda",
      "warning",
    ],
    [
      "cpu-build",
      "cpu-build",
      { device: "cuda" },
      /cuda was asked for/,
      "npx isotorch setup --via conda --variant cu113",
    ],
    [
      "driver-too-old",
      "old-driver",
      { gpu: P2000 },
      /driver 472\.39 is too old for CUDA 12\.6/,
      "npx isotorch setup --via conda --variant cu113",
      "warning",
    ],
    [
      "driver-too-old",
      "old-driver",
      { gpu: { ...P2000, driver: "390.48" }, device: "cuda" },
      /needs 525\.60 or later/,
      "Install a newer driver from https://www.nvidia.com/drivers",
    ],
    ["no-device", "hidden-gpu", { device: "cuda" }, /finds no device/, "nvidia-smi"],
    [
      "no-device",
      "hidden-gpu",
      { gpu: P2000 },
      /finds no device/,
      "See whether CUDA_VISIBLE_DEVICES",
      "warning",
    ],
    [
      "no-kernel-image",
      "h100-cu113",
      { device: "cuda" },
      /H100 .* is sm_90/,
      "npx isotorch setup --via conda --variant cuda",
    ],
    [
      "no-kernel-image",
      "k80-cuda12",
      {},
      /Tesla K80 is sm_37/,
      "npx isotorch setup --via conda --variant cu113",
      "warning",
    ],
    [
      "kernel-failed",
      "kernel-wrong",
      { device: "cuda" },
      /a convolution gave a wrong answer/,
      "Use the CPU: --device cpu",
    ],
    [
      "checkpoint-missing",
      "debian-cpu",
      { checkpoints: [{ ...V1, here: false }] },
      /not in the cache yet/,
      "npx isotorch models pull IMAGENET1K_V1",
      "warning",
    ],
    [
      "no-home",
      "debian-cpu",
      { cache: undefined, checkpoints: [] },
      /no home directory/,
      "Name a directory: --cache-dir DIR",
    ],
    [
      "cache-read-only",
      "debian-cpu",
      { cache: { ...CACHE, isWritable: false } },
      /cannot be written/,
      "Choose another directory",
      "warning",
    ],
  ])("%s: %s %#", (rule, recorded, over, sentence, mend, level = "error") => {
    const problems = problemsIn(findings(recorded, over));
    expect(problems.map((problem) => problem.rule)).toEqual([rule]);
    expect(problems[0]).toMatchObject({ level, sentence: expect.stringMatching(sentence) });
    expect(problems[0]?.mend.startsWith(mend), problems[0]?.mend).toBe(true);
  });

  test("activation-script: with the scripts' own words to be had", () => {
    const whole = findings("debian-cpu");
    const environment = {
      ...(whole.environment as Environment),
      complaint: "The activation scripts failed.",
    };
    expect(problemsIn({ ...whole, environment })).toMatchObject([
      { rule: "activation-script", level: "warning" },
    ]);
  });

  test("registry: what cannot be read in it is said", () => {
    const registry = ["The registry's HKCU\\Software\\Python cannot be read: its export is not UTF-16."];
    expect(problemsIn(findings("debian-cpu", { registry }))).toMatchObject([
      { rule: "registry", level: "warning", sentence: expect.stringContaining("not UTF-16") },
    ]);
  });

  test("disk-full and cache-read-only stop a download that is needed", () => {
    const checkpoints = [{ ...V1, here: false }];
    const full = problemsIn(findings("debian-cpu", { checkpoints, cache: { ...CACHE, free: 50 * 2 ** 20 } }));
    expect(full).toMatchObject([
      {
        rule: "disk-full",
        level: "error",
        sentence: expect.stringContaining("50 MiB left; IMAGENET1K_V1 needs 171 MiB"),
      },
      { rule: "checkpoint-missing" },
    ]);
    const locked = problemsIn(
      findings("debian-cpu", { checkpoints, cache: { ...CACHE, isWritable: false } }),
    );
    expect(locked[0]).toMatchObject({ rule: "cache-read-only", level: "error" });
  });

  test("user-site: a Python that is refused for what it has there alone says so", () => {
    const reason = "Python 3.11.2 without torch (torch in the user site /home/me/.local, which is left out)";
    const problems = problemsIn(findings("debian-cpu", { ...NOTHING, candidates: [refused(reason)] }));
    expect(problems.find(({ rule }) => rule === "user-site")).toMatchObject({
      level: "error",
      mend: "npx isotorch setup --via venv",
    });
  });
});

describe("what --fix may do", () => {
  const pip = {
    python: "/opt/conda/envs/isotorch/bin/python",
    prefix: "/opt/conda/envs/isotorch",
    via: "conda",
  };

  test("is to change an environment that isotorch made, and no other", () => {
    expect(problemsIn(findings("ijit"))[0]?.fix).toBeNull();
    expect(problemsIn(findings("ijit", { record: pip }))[0]?.fix).toEqual({
      does: "run",
      file: "/opt/conda/bin/conda",
      args: ["install", "-y", "-p", pip.prefix, "--override-channels", "-c", "conda-forge", "mkl=2024.0"],
    });
    expect(problemsIn(findings("ijit", { record: { ...pip, via: "found" } }))[0]?.fix).toBeNull();
    expect(problemsIn(findings("ijit", { record: pip, manager: undefined }))[0]?.fix).toBeNull();
  });

  test("is never to touch the system: its packages, its driver, its runtime", () => {
    for (const [recorded, over] of [
      ["libgl", {}],
      ["dll", { platform: "win32" }],
      ["old-driver", { gpu: { ...P2000, driver: "390.48" } }],
    ] as const) {
      expect(problemsIn(findings(recorded, { ...over, record: pip }))[0]?.fix).toBeNull();
    }
  });

  test("is a new environment beside the distribution's own Python", () => {
    const debian = findings("debian-cpu");
    const old = parseExamination({ errors: {}, versions: { torch: "1.13.0a0+git", numpy: "2.1.0" } });
    expect(problemsIn({ ...debian, examination: old })).toMatchObject([
      { rule: "numpy-2", mend: "npx isotorch setup --via venv", fix: { does: "setup" } },
    ]);
  });
});

test("the documentation has every rule with what it looks at", () => {
  const page = readFileSync(new URL("../../docs/environments.md", import.meta.url), "utf8");
  for (const { id, looksAt } of RULES)
    expect(page).toMatch(new RegExp(`^\\| \`${id}\` .*${escaped(looksAt)}`, "m"));
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
});

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
