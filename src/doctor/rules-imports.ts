/** Rules about imports that fail. */
import { isOlder } from "../python/probe.ts";
import { DLL_RULES } from "./rules-dll.ts";
import { byInstalling, bySetup, errorsLike, type Found, type Rule } from "./rule.ts";

const ijit: Rule = {
  id: "ijit-notify-event",
  area: "environment",
  level: "error",
  looksAt: "`undefined symbol: iJIT_NotifyEvent` when torch is imported",
  find: (findings, errors) => {
    const explains = errorsLike(errors, /iJIT_NotifyEvent/);
    if (explains.length === 0) return undefined;
    return {
      sentence: "This PyTorch needs an mkl older than 2024.1, which dropped the symbol iJIT_NotifyEvent.",
      ...byInstalling("mkl=2024.0", "mkl<2024.1", findings),
      explains,
    };
  },
};

const openmpTwice: Rule = {
  id: "openmp-twice",
  area: "environment",
  level: "error",
  looksAt: "`OMP: Error #15`: two copies of the OpenMP runtime in one process",
  find: ({ openmp }, errors) => {
    const explains = errorsLike(errors, /OMP: Error #15\b/);
    const text = errors[explains[0] ?? ""];
    if (text === undefined) return undefined;
    const named = /Initializing (\S+?),? but found (\S+?) already initialized/.exec(text);
    const pair = named ? `${named[1]} and ${named[2]}` : "the OpenMP runtime";
    const owners = openmp.map(({ owner, file }) => `${owner} (${file})`);
    const copies = owners.length > 1 ? `, which these bring: ${owners.join(", ")}` : "";
    return {
      sentence: `Two copies of OpenMP meet in one process, ${pair}${copies}. KMP_DUPLICATE_LIB_OK is no mend: it lets both run, and answers may be wrong without a word.`,
      ...bySetup(),
      explains,
    };
  },
};

const cudaLibrary: Rule = {
  id: "cuda-library",
  area: "environment",
  level: "error",
  looksAt: "a library of CUDA that PyTorch cannot open: `libcudart.so.11.0`, `libcudnn.so.8`, `libcuda.so.1`",
  find: (_findings, errors) => {
    const pattern =
      /(?<![\w.-])(lib(?:cuda|cudart|cudnn|cublas|cufft|curand|cusolver|cusparse|cupti|nccl|nvrtc|nvToolsExt|nvJitLink|nvidia-ml)[\w-]*\.so[\w.]*): cannot open shared object/;
    const explains = errorsLike(errors, pattern);
    const library = explains.map((name) => pattern.exec(errors[name] ?? "")?.[1]).find(Boolean);
    if (library === undefined) return undefined;
    // This one comes with the driver, into a container only if that is asked for.
    if (/^lib(?:cuda\.|nvidia-ml)/.test(library)) {
      return {
        sentence: `${library} belongs to the NVIDIA driver, which is not here or not shown to this container.`,
        mend: "Install the driver, or start the container with --gpus all; without a GPU: npx isotorch setup --variant cpu",
        explains,
      };
    }
    return {
      sentence: `PyTorch needs ${library} and finds no CUDA of that version: its packages do not belong together, or LD_LIBRARY_PATH leads to another CUDA.`,
      mend: "unset LD_LIBRARY_PATH, and if it stays: npx isotorch setup",
      explains,
    };
  },
};

const illegalInstruction: Rule = {
  id: "illegal-instruction",
  area: "environment",
  level: "error",
  looksAt: "an import that ends with an illegal instruction: a build for a newer processor",
  find: ({ arch }, errors) => {
    const explains = errorsLike(errors, /illegal instruction|SIGILL|0xC000001D/i);
    if (explains.length === 0) return undefined;
    return {
      sentence: `Importing ${explains[0]} ends the process: this build uses instructions that this processor (${arch}) does not have, or that a virtual machine hides.`,
      ...bySetup("--via", "conda", "--variant", "cpu"),
      explains,
    };
  },
};

const mapping: Rule = {
  id: "library-mapping",
  area: "environment",
  level: "error",
  looksAt: "a library that is there and that the system does not map: `noexec`, `ulimit -v`",
  find: (_findings, errors) => {
    const explains = errorsLike(errors, /failed to map segment from shared object|cannot allocate memory/i);
    const text = errors[explains[0] ?? ""];
    if (text === undefined) return undefined;
    const isForbidden = /not permitted/i.test(text);
    return {
      sentence: isForbidden
        ? `The libraries of ${explains[0]} lie on a file system that forbids running programs (noexec).`
        : `There are too few addresses or too little memory to load ${explains[0]}.`,
      mend: isForbidden
        ? "Make the environment in another directory, or mount that one without noexec"
        : "Lift `ulimit -v`, or free memory",
      explains,
    };
  },
};

const torchvisionMismatch: Rule = {
  id: "torchvision-mismatch",
  area: "environment",
  level: "error",
  looksAt: "a torchvision that was built for another PyTorch",
  find: (findings, errors) => {
    const explains = errorsLike(
      errors,
      /torchvision::\w+ does not exist|undefined symbol: _ZN?K?\d*(?:c10|at|torch)/,
    );
    if (explains.length === 0) return undefined;
    const { torch = "?", torchvision = "?" } = findings.examination?.versions ?? {};
    return {
      sentence: `torchvision ${torchvision} and torch ${torch} were not built for each other.`,
      ...bySetup(),
      explains,
    };
  },
};

/** Debian's packages of libraries that a bare machine lacks. */
const PACKAGE_OF: readonly (readonly [library: RegExp, name: string])[] = [
  [/^libGL\.so/, "libgl1"],
  [/^lib(?:glib|gthread|gobject)-2\.0\.so/, "libglib2.0-0"],
  [/^libgomp\.so/, "libgomp1"],
  [/^libstdc\+\+\.so/, "libstdc++6"],
  [/^libopenblas\.so/, "libopenblas0"],
  [/^libjpeg\.so/, "libjpeg62-turbo"],
  [/^libpng16\.so/, "libpng16-16"],
  [/^libnuma\.so/, "libnuma1"],
];

const sharedLibrary: Rule = {
  id: "shared-library",
  area: "environment",
  level: "error",
  looksAt: "a library that an import cannot open: libGL.so.1",
  find: ({ platform, examination }, errors) => {
    const pattern =
      /(?<![\w+.-])(lib[\w+.-]+): cannot open shared object|Library not loaded: (?:\S*\/)?(lib[\w+.-]+)/;
    const explains = errorsLike(errors, pattern);
    const match = pattern.exec(
      explains.map((name) => errors[name]).find((text) => text && pattern.test(text)) ?? "",
    );
    const library = match?.[1] ?? match?.[2];
    if (library === undefined) return undefined;
    const name = PACKAGE_OF.find(([known]) => known.test(library))?.[1];
    const mend =
      platform === "linux" && name
        ? `sudo apt-get install ${name}`
        : `Install the package of this system that has ${library}, or make an environment that brings it: npx isotorch setup --via conda`;
    return {
      sentence: `The library ${library} is missing on this machine (${examination?.machine.system ?? platform}).`,
      mend,
      explains,
    };
  },
};

const symbolVersion: Rule = {
  id: "symbol-version",
  area: "environment",
  level: "error",
  looksAt: "a `GLIBCXX` or `GLIBC` version that a library asks for and the system's does not have",
  find: (findings, errors) => {
    const explains = errorsLike(errors, /version [`']GLIBC(?:XX)?_[\d.]+' not found/);
    const version = /GLIBC(?:XX)?_[\d.]+/.exec(errors[explains[0] ?? ""] ?? "")?.[0];
    if (version === undefined) return undefined;
    const sentence = `A library needs ${version}, which is newer than what is loaded first on this machine.`;
    // The C library belongs to the system; the C++ one comes with an environment.
    const isCxx = version.startsWith("GLIBCXX");
    return {
      sentence,
      ...(isCxx ? byInstalling("libstdcxx-ng", "torch", findings) : bySetup("--via", "conda")),
      explains,
    };
  },
};

const numpy2: Rule = {
  id: "numpy-2",
  area: "environment",
  level: "error",
  looksAt: "NumPy 2 beside a PyTorch older than 2.3, which was compiled against NumPy 1",
  find: (findings, errors) => {
    const { torch = "", numpy = "" } = findings.examination?.versions ?? {};
    const isOldTorch = /^\d/.test(torch) && isOlder(torch, "2.3");
    if (!isOldTorch || !/^\d/.test(numpy) || isOlder(numpy, "2.0")) return undefined;
    return {
      sentence: `torch ${torch} was compiled against NumPy 1 and cannot exchange arrays with NumPy ${numpy}.`,
      ...byInstalling("numpy<2", "numpy<2", findings),
      explains: errorsLike(errors, /numpy|_ARRAY_API/i),
    };
  },
};

const importFailed: Rule = {
  id: "import-failed",
  area: "environment",
  level: "error",
  looksAt: "any other import, or first use, that fails",
  find: (_findings, errors): Found | undefined => {
    const failed = Object.keys(errors).filter((name) => name !== "kernel");
    if (failed.length === 0) return undefined;
    const texts = failed.map((name) => `${name} (${errors[name]?.split("\n")[0] ?? ""})`);
    return { sentence: `This does not work: ${texts.join(", ")}.`, ...bySetup(), explains: failed };
  },
};

export const IMPORT_RULES: readonly Rule[] = [
  ...DLL_RULES,
  openmpTwice,
  ijit,
  cudaLibrary,
  illegalInstruction,
  mapping,
  torchvisionMismatch,
  sharedLibrary,
  symbolVersion,
  numpy2,
  importFailed,
];
