/** Rules about imports that fail. */
import { isOlder } from "../worker/probe.ts";
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
  looksAt: "a library that an import cannot open: libGL.so.1, a DLL",
  find: ({ platform, examination }, errors) => {
    const dll = errorsLike(errors, /DLL load failed|WinError 126/);
    if (dll.length > 0) {
      return {
        sentence: `Importing ${dll[0]} finds no DLL that it needs; most often the Visual C++ runtime is missing.`,
        mend: "winget install --exact --id Microsoft.VCRedist.2015+.x64",
        explains: dll,
      };
    }
    const pattern =
      /(lib[\w+.-]+\.(?:so|dylib)[\w.]*): cannot open shared object|Library not loaded: \S*?(lib[\w+.-]+\.dylib)/;
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

export const IMPORT_RULES: readonly Rule[] = [ijit, sharedLibrary, symbolVersion, numpy2, importFailed];
