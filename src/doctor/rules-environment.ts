/** Rules about which Python is used, and what it is. */
import { damagedSentence, lostSentence } from "../python/lost.ts";
import { productText } from "../python/examine.ts";
import { isOlder } from "../python/probe.ts";
import { bySetup, type Rule } from "./rule.ts";

const noEnvironment: Rule = {
  id: "no-environment",
  area: "environment",
  level: "error",
  looksAt: "whether any Python here can run the worker",
  find: ({ environment, candidates, lost }) =>
    environment || lost || candidates.some(({ accepted }) => accepted)
      ? undefined
      : { sentence: "No Python here can run the worker.", ...bySetup() },
};

const recordStale: Rule = {
  id: "record-stale",
  area: "environment",
  level: "error",
  looksAt: "whether the environment that `setup` recorded still fits",
  find: ({ lost, damagedRecord }) => {
    if (damagedRecord !== undefined) return { sentence: damagedSentence(damagedRecord), ...bySetup() };
    return lost?.was === "recorded" ? { sentence: lostSentence(lost), ...bySetup() } : undefined;
  },
};

const usedGone: Rule = {
  id: "used-gone",
  area: "environment",
  level: "error",
  looksAt: "whether the environment that was used before still fits, where another one would take its place",
  find: ({ lost }) => (lost?.was === "used" ? { sentence: lostSentence(lost), ...bySetup() } : undefined),
};

const halfMade: Rule = {
  id: "half-made",
  area: "environment",
  level: "warning",
  looksAt: "whether an earlier `setup` did not come to its end",
  find: ({ halfMade: prefix }) =>
    prefix === undefined
      ? undefined
      : {
          sentence: `A setup that did not come to its end left ${prefix} unfinished.`,
          ...bySetup("--via", "conda"),
        },
};

const pythonVersion: Rule = {
  id: "python-version",
  area: "environment",
  level: "error",
  looksAt: "the version of an active, recorded or asked-for Python: 3.9 to 3.13",
  find: ({ candidates, environment, lost }) => {
    const named = candidates.find(
      (candidate) =>
        !candidate.accepted &&
        candidate.kind !== "system" &&
        candidate.python !== lost?.python &&
        /^Python \S+ is older/.test(candidate.reason),
    );
    if (named && !named.accepted) {
      const level = environment ? "warning" : "error";
      return { sentence: `${named.python} is too old: ${named.reason}.`, level, ...bySetup() };
    }
    const version = environment?.versions["python"];
    if (version === undefined || isOlder(version, "3.14")) return undefined;
    return {
      sentence: `Python ${version} is newer than any that the worker was run with (3.9 to 3.13).`,
      level: "warning",
      ...bySetup(),
    };
  },
};

const architecture: Rule = {
  id: "wrong-architecture",
  area: "environment",
  level: "error",
  looksAt: "whether Python is built for this processor: Rosetta, emulation, 32 bits",
  find: ({ examination, platform, arch }) => {
    if (!examination) return undefined;
    const { translated, processor, bits } = examination.machine;
    if (bits === 32) {
      return { sentence: "This Python is a 32-bit program, for which there is no PyTorch.", ...bySetup() };
    }
    const isEmulated = translated || (arch === "arm64" && /^(?:x86_64|AMD64)$/i.test(processor));
    if (!isEmulated) return undefined;
    const by = platform === "darwin" ? "Rosetta" : "an emulator";
    return {
      sentence: `This Python is built for Intel and runs by way of ${by}, many times slower than a native one.`,
      level: "warning",
      ...bySetup("--via", "conda", "--variant", "cpu"),
    };
  },
};

const userSite: Rule = {
  id: "user-site",
  area: "environment",
  level: "warning",
  looksAt: "packages in the user's own site directory, which the worker leaves out and `python` does not",
  find: ({ candidates, examination }) => {
    const hidden = candidates.find(
      (candidate) => !candidate.accepted && candidate.reason.includes("in the user site"),
    );
    if (hidden && !hidden.accepted && !candidates.some(({ accepted }) => accepted)) {
      return { sentence: `${hidden.python}: ${hidden.reason}.`, level: "error", ...bySetup("--via", "venv") };
    }
    const { path, packages } = examination?.userSite ?? { path: "", packages: [] };
    if (packages.length === 0) return undefined;
    return {
      sentence: `${path} has ${packages.join(", ")}, which an ordinary \`python\` takes instead of the environment's.`,
      mend: "Compare with PYTHONNOUSERSITE=1 set, or remove those packages there; the worker leaves them out.",
    };
  },
};

const activationScript: Rule = {
  id: "activation-script",
  area: "environment",
  level: "warning",
  looksAt: "whether the activation scripts of a conda environment ran",
  find: ({ environment, platform }) =>
    environment?.complaint
      ? {
          sentence: environment.complaint,
          mend:
            platform === "win32"
              ? `See what they say: conda activate "${environment.prefix}"`
              : `See what they say: for f in '${environment.prefix}'/etc/conda/activate.d/*.sh; do bash -x "$f"; done`,
        }
      : undefined,
};

const registry: Rule = {
  id: "registry",
  area: "environment",
  level: "warning",
  looksAt: "whether what Windows' registry says of Pythons can be read",
  find: ({ registry: complaints }) =>
    complaints.length === 0
      ? undefined
      : {
          sentence: `${complaints.join(" ")} A Python that only the registry names is not found.`,
          mend: "Name the Python yourself: set ISOTORCH_PYTHON to the path of its python.exe",
        },
};

const referenceBlas: Rule = {
  id: "reference-blas",
  area: "environment",
  level: "warning",
  looksAt:
    "whether matrices are multiplied by the reference BLAS, which is many times slower than the others",
  find: ({ examination }) => {
    const blas = examination?.blas;
    if (!blas?.library.startsWith("reference BLAS")) return undefined;
    return {
      sentence:
        `PyTorch multiplies matrices with the ${blas.library} (${productText(blas)}): vision transformers take ` +
        "many times longer than with OpenBLAS. The last bits of answers change with the library.",
      mend: "sudo apt-get install libopenblas0-pthread",
    };
  },
};

export const ENVIRONMENT_RULES: readonly Rule[] = [
  noEnvironment,
  recordStale,
  usedGone,
  halfMade,
  pythonVersion,
  architecture,
  userSite,
  activationScript,
  registry,
  referenceBlas,
];
