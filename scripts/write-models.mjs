// What isotorch knows of torchvision's classifiers, written from an installed torchvision; the newest one knows most.
//   node scripts/write-models.mjs [--python FILE] [--check]   --check writes nothing and fails where something differs
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const TARGET = "models/torchvision.json";
const ABOUT = {
  made: "scripts/write-models.mjs, from torchvision itself",
  bytes: "null where nobody tells the exact size; mebibytes is torchvision's, rounded to a thousandth",
  sha256:
    "Given where pytorch/vision states it, or two independent public documents do, and it begins with the digits in the file's name. Else null: those digits are checked, and the whole hash is noted beside the file.",
  since: "the first torchvision that has the network by this name with weights of these names",
};
/** What torchvision tells of licences is their address alone. */
const LICENCES = { "https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "CC-BY-NC-4.0" };
/** All others are there from the first torchvision that names weights. */
const LATER = { maxvit_t: "0.14", swin_v2_b: "0.14", swin_v2_s: "0.14", swin_v2_t: "0.14" };
const FIRST = "0.13";

const { values } = parseArgs({ options: { python: { type: "string" }, check: { type: "boolean" } } });
const old = JSON.parse(readFileSync(TARGET, "utf8"));
const hashes = JSON.parse(readFileSync("scripts/models/hashes.json", "utf8"));
const read = JSON.parse(
  execFileSync(values.python ?? "python3", ["scripts/models/read_table.py"], { encoding: "utf8" }),
);

const models = { ...old.models };
for (const [name, { head, weights }] of Object.entries(read.models)) {
  const before = models[name]?.weights ?? {};
  const entries = Object.entries(weights).map(([key, told]) => [key, entry(told, before[key])]);
  models[name] = {
    head,
    since: LATER[name] ?? FIRST,
    weights: { ...before, ...Object.fromEntries(entries) },
  };
}
const text = textOf(models);
if (readFileSync(TARGET, "utf8") === text) {
  console.log(`${TARGET} is as torchvision ${read.torchvision} says.`);
} else if (values.check) {
  console.error(`${TARGET} differs from torchvision ${read.torchvision}.`);
  process.exitCode = 1;
} else {
  writeFileSync(TARGET, text);
  console.log(`Wrote ${TARGET} from torchvision ${read.torchvision}.`);
}

/** What is told now; what is not told stays as it was. */
function entry(told, before) {
  // Before 0.16 the digits in eight names were those of other files: whoever has sizes has the right names, too.
  const newest = told.mebibytes === null && before !== undefined ? before : told;
  const { url, sha256Prefix } = newest;
  const { sha256 = null, bytes = null } = hashes[url.slice(url.lastIndexOf("/") + 1)] ?? {};
  const mebibytes = newest.mebibytes;
  if (sha256 !== null && !sha256.startsWith(sha256Prefix)) throw new Error(`${url} has another hash`);
  if (bytes !== null && mebibytes !== null && Math.abs(bytes / 2 ** 20 - mebibytes) > 0.0006)
    throw new Error(`${url} has not ${bytes} bytes`);
  const { parameters, acc1, acc5, minSize, classes, spec } = told;
  const licence = told.licence === null ? null : { name: nameOf(told.licence), url: told.licence };
  const size = { bytes, mebibytes, sha256, sha256Prefix };
  return { url, ...size, parameters, gflops: newest.gflops, acc1, acc5, minSize, classes, licence, spec };
}

function nameOf(licence) {
  const name = LICENCES[licence];
  if (name === undefined) throw new Error(`${licence} has no name in this script`);
  return name;
}

/** One line for each model, and one for each of its weights. */
function textOf(table) {
  const parts = Object.entries(table).map(([name, { weights, ...model }]) => {
    const entries = Object.entries(weights).map(
      ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
    );
    const start = `${JSON.stringify(name)}:${JSON.stringify(model).slice(0, -1)},"weights":{`;
    return `${start}\n${entries.join(",\n")}}}`;
  });
  return `{"about":${JSON.stringify(ABOUT)},\n"models":{\n${parts.join(",\n")}\n}}\n`;
}
