/**
 * Rules about the DLLs of Windows. PyTorch's errors have Windows' number; those of an extension module only have its
 * sentence, in the language of the system.
 */
import { byInstalling, bySetup, errorsLike, type Found, type Rule } from "./rule.ts";

const REDISTRIBUTABLE = "winget install --exact --id Microsoft.VCRedist.2015+.x64";

const pageFile: Rule = rule(
  "page-file",
  "WinError 1455: the paging file is too small to load a DLL",
  /WinError 1455\b|paging file is too small|页面文件太小|分頁檔太小/,
  (what) =>
    `Windows has too little virtual memory to load ${what}: the CUDA libraries of PyTorch ask for several GB.`,
  {
    mend: "Enlarge the paging file (SystemPropertiesAdvanced.exe, Performance, Advanced, Virtual memory: let Windows manage it, on a drive with 20 GB free), restart Windows; or use a PyTorch for the CPU: npx isotorch setup --variant cpu",
  },
);

const outdatedFbgemm: Rule = {
  id: "dll-fbgemm",
  area: "environment",
  level: "error",
  looksAt: "PyTorch 2.4.0's `fbgemm.dll`, which needs an OpenMP that few machines have",
  find: (findings, errors) => {
    if (findings.examination?.versions["torch"]?.startsWith("2.4.0") !== true) return undefined;
    return found(
      errors,
      /^(?=.*WinError 126\b).*fbgemm\.dll/m,
      () =>
        "fbgemm.dll of this PyTorch needs libomp140.x86_64.dll, which is not here; 2.4.1 and later do not.",
      byInstalling("pytorch>=2.4.1", "torch>=2.4.1", findings),
    );
  },
};

const missing: Rule = rule(
  "dll-missing",
  "WinError 126: a DLL, or one that it needs, is missing",
  /WinError 126\b|^(?=.*DLL load failed).*(?:specified module could not be found|找不到指定的模块|找不到指定的模組)/m,
  (what) =>
    `${what} is missing, or a DLL that it needs; most often the Visual C++ runtime is, else an antivirus took the file away.`,
  { mend: `${REDISTRIBUTABLE}; if it was there: npx isotorch setup` },
);

const procedure: Rule = rule(
  "dll-version",
  "WinError 127: a DLL is there in another version than the one that is needed",
  /WinError 127\b|^(?=.*DLL load failed).*(?:specified procedure could not be found|找不到指定的程序)/m,
  (what) =>
    `A DLL that ${what} needs is of another version: pip's and conda's packages are mixed, or another program's directory stands before on the PATH.`,
  bySetup(),
);

const initialisation: Rule = rule(
  "dll-initialisation",
  "WinError 1114: a DLL is there and its start fails",
  /WinError 1114\b|^(?=.*DLL load failed).*(?:initialization routine failed|初始化例程失败|初始化例行程序失敗)/m,
  (what) =>
    `${what} is there and fails to start: an old Visual C++ runtime, a restart that Windows waits for, or another copy of one of its DLLs.`,
  { mend: `${REDISTRIBUTABLE}, then restart Windows; if it stays: npx isotorch setup` },
);

const blocked: Rule = rule(
  "dll-blocked",
  "WinError 4551, 1260, 225: Windows or an antivirus forbids a DLL",
  /WinError (?:4551|1260|225)\b|^(?=.*DLL load failed).*(?:policy has blocked|策略已阻止|原則已封鎖)/m,
  (what) => `Windows (Smart App Control, a policy, an antivirus) forbids ${what}.`,
  {
    mend: "Allow it in Windows Security (App & browser control, Virus & threat protection), or use conda's PyTorch: npx isotorch setup --via conda",
  },
);

const otherDll: Rule = rule(
  "dll-load",
  "any other DLL that cannot be loaded",
  /DLL load failed|^(?=.*WinError \d+\]).*(?:Error loading|\.(?:dll|pyd))/m,
  (what, text) => `${what} cannot be loaded: ${text}`,
  { mend: `${REDISTRIBUTABLE}; if it was there: npx isotorch setup` },
);

/** A rule that an error's text alone decides. */
function rule(
  id: string,
  looksAt: string,
  pattern: RegExp,
  say: (what: string, text: string) => string,
  mend: Pick<Found, "mend" | "fix">,
): Rule {
  return {
    id,
    area: "environment",
    level: "error",
    looksAt,
    find: (_findings, errors) => found(errors, pattern, say, mend),
  };
}

/** @param say the sentence of what cannot be loaded, and the error's first line. */
function found(
  errors: Readonly<Record<string, string>>,
  pattern: RegExp,
  say: (what: string, text: string) => string,
  mend: Pick<Found, "mend" | "fix">,
): Found | undefined {
  const explains = errorsLike(errors, pattern);
  const name = explains.find((candidate) => pattern.test(errors[candidate] ?? ""));
  if (name === undefined) return undefined;
  const text = errors[name]?.split("\n")[0] ?? "";
  return { sentence: say(libraryIn(text) ?? `a DLL of ${name}`, text), ...mend, explains };
}

/** `cudnn_cnn_infer64_8.dll`, or the extension module that was being loaded. */
function libraryIn(text: string): string | undefined {
  const words = text.match(/[\w.+-]+/g) ?? [];
  const file = words.map((word) => /^[\w.+-]+\.(?:dll|pyd)\b/i.exec(word)?.[0]).find(Boolean);
  const module = /while importing (\w+)/.exec(text)?.[1];
  return file ?? (module && `the module ${module}`);
}

export const DLL_RULES: readonly Rule[] = [
  pageFile,
  outdatedFbgemm,
  missing,
  procedure,
  initialisation,
  blocked,
  otherDll,
];
