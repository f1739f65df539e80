/** What `doctor` says of libraries that cannot be loaded, in the words of Windows, of Linux and of OpenMP. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { openmpRuntimes } from "../../src/doctor/openmp.ts";
import { problemsIn } from "../../src/doctor/rules.ts";
import { parseExamination } from "../../src/python/examine.ts";
import { findings } from "./findings.ts";

describe("an import that the system refuses is known by its words", () => {
  const dll = String.raw`Error loading "C:\Users\张三\anaconda3\Lib\site-packages\torch\lib\cudnn_cnn64_9.dll" or one of its dependencies.`;
  test.each<[rule: string, error: string, sentence: RegExp, mend: RegExp, torch?: string]>([
    [
      "page-file",
      `OSError: [WinError 1455] 页面文件太小，无法完成操作。 ${dll}`,
      /load cudnn_cnn64_9\.dll/,
      /Virtual memory/,
    ],
    [
      "page-file",
      "ImportError: DLL load failed while importing _C: The paging file is too small for this operation to complete.",
      /module _C/,
      /--variant cpu/,
    ],
    [
      "dll-missing",
      `OSError: [WinError 126] The specified module could not be found. ${dll}`,
      /^cudnn_cnn64_9\.dll is missing/,
      /VCRedist/,
    ],
    [
      "dll-missing",
      "ImportError: DLL load failed while importing _imaging: 找不到指定的模块。",
      /^the module _imaging/,
      /VCRedist/,
    ],
    [
      "dll-fbgemm",
      String.raw`OSError: [WinError 126] The specified module could not be found. Error loading "C:\x\torch\lib\fbgemm.dll" or one of its dependencies.`,
      /libomp140/,
      /2\.4\.1/,
      "2.4.0+cpu",
    ],
    [
      "dll-version",
      `OSError: [WinError 127] The specified procedure could not be found. ${dll}`,
      /another version: pip's and conda's/,
      /isotorch setup/,
    ],
    [
      "dll-version",
      "ImportError: DLL load failed while importing _C: 找不到指定的程序。",
      /module _C/,
      /isotorch setup/,
    ],
    [
      "dll-initialisation",
      `OSError: [WinError 1114] A dynamic link library (DLL) initialization routine failed. ${dll}`,
      /fails to start/,
      /restart Windows/,
    ],
    [
      "dll-initialisation",
      "ImportError: DLL load failed while importing onnx: 动态链接库(DLL)初始化例程失败。",
      /module onnx/,
      /VCRedist/,
    ],
    [
      "dll-blocked",
      `OSError: [WinError 4551] An Application Control policy has blocked this file. ${dll}`,
      /forbids cudnn_cnn64_9\.dll/,
      /Windows Security/,
    ],
    [
      "dll-load",
      "ImportError: DLL load failed while importing _C: %1 is not a valid Win32 application.",
      /valid Win32/,
      /VCRedist/,
    ],
    [
      "cuda-library",
      "ImportError: libcudart.so.11.0: cannot open shared object file: No such file or directory",
      /libcudart\.so\.11\.0/,
      /^unset LD_LIBRARY_PATH/,
    ],
    [
      "cuda-library",
      "OSError: libcudnn.so.8: cannot open shared object file: No such file or directory",
      /libcudnn\.so\.8/,
      /isotorch setup/,
    ],
    [
      "cuda-library",
      "OSError: libcublasLt.so.12: cannot open shared object file: No such file or directory",
      /libcublasLt\.so\.12/,
      /isotorch setup/,
    ],
    [
      "cuda-library",
      "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
      /NVIDIA driver/,
      /--gpus all/,
    ],
    [
      "openmp-twice",
      "importing everything ended with exited (3): OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.",
      /libiomp5md\.dll and libiomp5md\.dll.*KMP_DUPLICATE_LIB_OK is no mend/,
      /isotorch setup/,
    ],
    [
      "illegal-instruction",
      "importing everything ended with exited (a signal): Fatal Python error: Illegal instruction",
      /processor \(x64\)/,
      /--via conda --variant cpu/,
    ],
    [
      "library-mapping",
      "OSError: /mnt/x/libtorch_cpu.so: failed to map segment from shared object: Operation not permitted",
      /noexec/,
      /another directory/,
    ],
    [
      "library-mapping",
      "OSError: libtorch_cpu.so: failed to map segment from shared object",
      /too few addresses/,
      /ulimit -v/,
    ],
    ["import-failed", "OSError: something else", /something else/, /isotorch setup/],
  ])("%s: %s", (rule, error, sentence, mend, torch = "2.5.1") => {
    const examination = parseExamination({
      errors: { torch: error, torchvision: error },
      versions: { torch },
    });
    const problems = problemsIn(findings("cu113-p2000", { examination }));
    expect(problems.map((problem) => problem.rule)).toEqual([rule]);
    expect(problems[0]?.sentence).toMatch(sentence);
    expect(problems[0]?.mend).toMatch(mend);
  });

  test("torchvision-mismatch: with both versions", () => {
    const errors = { torchvision: "RuntimeError: operator torchvision::nms does not exist" };
    const versions = { torch: "2.5.1", torchvision: "0.16.0" };
    const examination = parseExamination({ errors, versions });
    expect(problemsIn(findings("debian-cpu", { examination }))).toMatchObject([
      {
        rule: "torchvision-mismatch",
        sentence: expect.stringMatching(/torchvision 0\.16\.0 and torch 2\.5\.1/),
      },
    ]);
  });

  test("openmp-twice: with whose runtimes they are", async () => {
    const prefix = mkdtempSync(join(tmpdir(), "isotorch-openmp-"));
    for (const file of [
      "Library/bin/libiomp5md.dll",
      "Lib/site-packages/torch/lib/libiomp5md.dll",
      "lib/python3.11/site-packages/scikit_learn.libs/libgomp-a34b3233.so.1.0.0",
      "lib/libother.so",
    ]) {
      mkdirSync(dirname(join(prefix, file)), { recursive: true });
      writeFileSync(join(prefix, file), "");
    }
    const openmp = await openmpRuntimes(prefix);
    rmSync(prefix, { recursive: true });
    expect(openmp).toEqual([
      { file: "Library/bin/libiomp5md.dll", owner: "conda" },
      { file: "Lib/site-packages/torch/lib/libiomp5md.dll", owner: "torch" },
      {
        file: "lib/python3.11/site-packages/scikit_learn.libs/libgomp-a34b3233.so.1.0.0",
        owner: "scikit_learn.libs",
      },
    ]);
    const examination = parseExamination({
      errors: {
        torch: "OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.",
      },
    });
    const [problem] = problemsIn(findings("debian-cpu", { examination, openmp }));
    expect(problem?.sentence).toMatch(/conda \(Library\/bin\/libiomp5md\.dll\), torch \(/);
  });
});
