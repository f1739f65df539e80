/** Packages that are there and cannot be imported, in every way in which that happens. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import { diagnose } from "../../src/doctor/doctor.ts";
import { preprocess } from "../../src/classification/oneshot.ts";
import { makeUntrained } from "../../src/checkpoints/make.ts";
import { findEnvironment } from "../../src/python/environment.ts";
import { CACHE_DIR, UNTRAINED } from "../checkpoint.ts";
import { failureOf } from "../failure.ts";
import { DOG, isotorch } from "../hosts/cli.ts";
import { PYTHON } from "../python.ts";

const PAGE_FILE = `raise OSError('[WinError 1455] The paging file is too small for this operation to complete. Error loading "torch\\\\lib\\\\cudnn_cnn_infer64_8.dll" or one of its dependencies.')`;
const OMP = `import os, sys
sys.stderr.write("OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.\\nOMP: Hint This means that multiple copies of the OpenMP runtime have been linked into the program.\\n")
sys.stderr.flush()
`;
const ENDED = (how: string): string => `import signal\nsignal.raise_signal(signal.${how})\n`;

let folder: string;
let python: string;
let site: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-imports-"));
  execFileSync(PYTHON, ["-m", "venv", "--system-site-packages", "--without-pip", join(folder, "venv")]);
  python = join(folder, "venv", "bin", "python");
  const script = "import sysconfig; print(sysconfig.get_path('purelib'))";
  site = execFileSync(python, ["-c", script], { encoding: "utf8" }).trim();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Puts packages of that name and code before the real ones. */
async function withBroken<T>(name: string, code: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(join(site, name));
  writeFileSync(join(site, name, "__init__.py"), code);
  try {
    return await work();
  } finally {
    rmSync(join(site, name), { recursive: true });
  }
}

describe.skipIf(process.platform === "win32")(
  "a package that cannot be imported is ENVIRONMENT_BROKEN:",
  () => {
    test.each([
      ["torch", PAGE_FILE, /importing torch failed: OSError: \[WinError 1455\] [^\n]+$/i, "page-file"],
      [
        "torch",
        "raise OSError('libcudart.so.11.0: cannot open shared object file: No such file or directory')",
        /importing torch failed: OSError: libcudart\.so\.11\.0/i,
        "cuda-library",
      ],
      [
        "torch",
        `${OMP}os._exit(3)`,
        /with exit code 3 .*OMP: Error #15: Initializing libiomp5md\.dll/,
        "openmp-twice",
      ],
      ["torch", `${OMP}os.abort()`, /by SIGABRT .*OMP: Error #15/, "openmp-twice"],
      [
        "torch",
        ENDED("SIGILL"),
        /by SIG(?:ILL|SEGV) .*: Fatal Python error: Illegal instruction\.$/,
        "illegal-instruction",
      ],
      [
        "torch",
        ENDED("SIGSEGV"),
        /by SIGSEGV .*: Fatal Python error: Segmentation fault\.$/,
        "import-failed",
      ],
      [
        "torchvision",
        "raise RuntimeError('operator torchvision::nms does not exist')",
        /importing torchvision failed/i,
        "torchvision-mismatch",
      ],
      [
        "PIL",
        "raise SystemError('initialization of _imaging failed')",
        /importing PIL failed: SystemError/i,
        "import-failed",
      ],
      [
        "zmq",
        "raise OSError('libzmq.so.5: cannot open shared object file')",
        /Importing zmq failed: OSError/i,
        "shared-library",
      ],
      ["msgpack", "import sys; sys.exit(1)", /importing msgpack failed: SystemExit: 1/i, "import-failed"],
    ])("%s: %s", async (name, code, message, rule) => {
      await withBroken(name, code, async () => {
        const error = await failureOf(createClassifier({ ...UNTRAINED, python }));
        expect(error).toMatchObject({ code: "ENVIRONMENT_BROKEN", message: expect.stringMatching(message) });
        const { problems } = await diagnose({ ...UNTRAINED, python });
        expect(problems.filter(({ level }) => level === "error")).toMatchObject([{ rule }]);
      });
    });

    test("without a network too, and where a checkpoint is made", async () => {
      await withBroken("torch", "import sys; sys.exit(1)", async () => {
        const error = await failureOf(preprocess(DOG, { python }));
        expect(error).toMatchObject({
          code: "ENVIRONMENT_BROKEN",
          message: expect.stringMatching(/SystemExit: 1/),
        });
      });
      await withBroken("torch", PAGE_FILE, async () => {
        expect(await failureOf(preprocess(DOG, { python }))).toMatchObject({ code: "ENVIRONMENT_BROKEN" });
        const environment = await findEnvironment({ python });
        const made = makeUntrained(environment, 0, join(folder, "made.pth"));
        expect(await failureOf(made)).toMatchObject({
          code: "ENVIRONMENT_BROKEN",
          message: expect.stringMatching(/WinError 1455/),
        });
      });
    });

    test("the command says it in two lines and ends with 3", async () => {
      await withBroken("torch", PAGE_FILE, async () => {
        const weights = ["--weights", "untrained:0", "--cache-dir", CACHE_DIR];
        const args = ["classify", DOG, "--python", python, ...weights];
        const { code, stderr } = await isotorch(args, { HOME: folder });
        expect(stderr).toMatch(/^isotorch: ENVIRONMENT_BROKEN: .*WinError 1455/);
        expect(code).toBe(3);
        expect(stderr.trim().split("\n")).toHaveLength(2);
      });
    });
  },
);
