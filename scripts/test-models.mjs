// `npm run test:models [-- --quick] [--only NAME]… [--check NAME]…`: torchvision's 80 classifiers beside torchvision itself.
//
//   --check NAME      networks: all of them as the worker builds and fills them, and the specs of all weights; preprocessing:
//                     each spec over 15 pictures; checkpoints: files as people save them, by `isotorch classify`; embeddings: of
//                     ten networks, by `isotorch embed`; forward: logits and embeddings of a network of each family in a real
//                     worker. May be repeated; default all
//   --only NAME       these networks alone; of `checkpoints`, these forms
//   --quick           four small networks, eight specs and ten forms
//   --threads N       PyTorch's threads on both sides; default 2
//   --seconds N       that each network, or form, may take; default 600
//   --random N        specs that no weights have, beside the others; default 40
//   --python PYTHON   default ISOTORCH_PYTHON or /usr/bin/python3
//
// Needs what `npm run build` makes, and no trained weights: they are seeded, and only finite. Exits with 1 where anything differs or was
// not finished.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const CHECKS = { networks, preprocessing, checkpoints, embeddings, forward };
/** One of each family, and of those whose blocks differ several. */
const FAMILIES = (
  "squeezenet1_1 shufflenet_v2_x0_5 mobilenet_v3_small mnasnet0_5 mobilenet_v2 efficientnet_b0 regnet_y_400mf " +
  "regnet_x_400mf resnet18 googlenet densenet121 resnet50 resnext50_32x4d efficientnet_v2_s alexnet inception_v3 " +
  "wide_resnet50_2 vgg11 vgg11_bn convnext_tiny maxvit_t swin_t swin_v2_t vit_b_32"
).split(" ");
const QUICK = 4;
const EMBEDDED = 11;
const QUICK_FORMS = (
  "fc_sequential tv_reference lightning whole_model safetensors with_a_trap " +
  "torchscript another_network head_of_layers cut_short"
).split(" ");

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const many = { type: "string", multiple: true };
const { values } = parseArgs({
  options: {
    check: { ...many, default: Object.keys(CHECKS) },
    only: many,
    quick: { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    seconds: { type: "string", default: "600" },
    random: { type: "string", default: "40" },
    python: { type: "string", default: process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3" },
  },
});
const { only, quick, python } = values;
if (!existsSync("dist/index.js")) {
  process.stderr.write("test:models: there is no dist/. Run `npm run build` first.\n");
  process.exit(2);
}
const unknown = values.check.find((name) => !Object.hasOwn(CHECKS, name));
if (unknown !== undefined) {
  process.stderr.write(`test:models: --check knows ${Object.keys(CHECKS).join(", ")}, not ${unknown}.\n`);
  process.exit(2);
}

const summary = [];
for (const name of values.check) {
  process.stdout.write(`\n${name}\n`);
  const started = performance.now();
  const { counted, failures } = await CHECKS[name]();
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  for (const failure of failures) process.stdout.write(`  DIFFERS: ${failure}\n`);
  summary.push({ name, counted, failed: failures.length, seconds });
}
process.stdout.write("\n");
for (const { name, counted, failed, seconds } of summary)
  process.stdout.write(
    `${name.padEnd(15)}${failed === 0 ? "equal" : `${failed} DIFFER`}: ${counted}; ${seconds} s\n`,
  );
process.exitCode = summary.every(({ failed }) => failed === 0) ? 0 : 1;

/** Names, shapes, settings and values of each network, and the specs of all weights. */
async function networks() {
  const chosen = [only ?? (quick ? FAMILIES.slice(0, QUICK) : [])].flat();
  const flags = chosen.length > 0 ? ["--only"].concat(chosen) : [];
  const child = spawn(python, ["-X", "utf8", "-B", "scripts/models/networks.py", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const count = { networks: new Set(), built: 0, filled: 0, tensors: 0 };
  const failures = [];
  let specs = "no specs";
  for await (const line of createInterface({ input: child.stdout })) {
    const { model, weights, differences, ...rest } = JSON.parse(line);
    if (model === undefined) specs = `${rest.specs} of ${rest.known} specs, torchvision ${rest.torchvision}`;
    else {
      count.networks.add(model);
      count.built++;
      count.filled += rest.filled ? 1 : 0;
      count.tensors += rest.tensors;
    }
    failures.push(...differences.map((what) => [model, weights, what].filter(Boolean).join(" ")));
  }
  const code = await ended;
  if (code !== 0) failures.push(`scripts/models/networks.py ended with ${code}`);
  const counted =
    `${count.networks.size} networks, ${count.built} built, ${count.filled} filled, ` +
    `${count.tensors} tensors; ${specs}`;
  return { counted, failures };
}

/** What Node makes of 15 pictures by each spec. */
async function preprocessing() {
  const flags = quick ? ["--most", "8", "--random", "0"] : ["--random", values.random];
  const args = ["scripts/compare-specs.mjs", ...flags, "--python", python];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = stdout.trim().split("\n");
  return {
    counted: lines.at(-1),
    failures: status === 0 ? [] : lines.filter((line) => line.includes("differing")),
  };
}

/** Files as people save them. */
async function checkpoints() {
  const { checkpoints: forms } = await import("./models/checkpoints.mjs");
  const folder = mkdtempSync(join(tmpdir(), "isotorch-models-"));
  const limits = { python, threads: Number(values.threads), folder, seconds: Number(values.seconds) };
  const failures = [];
  let count = 0;
  try {
    for await (const { name, what, wrong } of forms({
      ...limits,
      only: only ?? (quick ? QUICK_FORMS : undefined),
    })) {
      count++;
      process.stdout.write(`  ${name.padEnd(32)}${what}\n`);
      failures.push(...wrong.map((sentence) => `${name}: ${sentence}`));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { counted: `${count} forms of checkpoints`, failures };
}

/** What the head is given, by the command. */
async function embeddings() {
  const { embeddings: answers } = await import("./models/embeddings.mjs");
  return inTurn(FAMILIES.slice(0, EMBEDDED), "embeddings", async (model, limits) => {
    const { answers: count, differing, values: size } = await answers(model, limits);
    return { count, differing, told: `${count - differing.length} of ${count} equal, ${size} values` };
  });
}

/** Logits and embeddings of a network of each family. */
async function forward() {
  const { forward: answers } = await import("./models/forward.mjs");
  return inTurn(FAMILIES, "logits and embeddings", async (model, limits) => {
    const { answers: count, differing, packing, batches } = await answers(model, limits);
    const told = `${count - differing.length} of ${count} equal, ${packing} packed, ${batches}`;
    return { count, differing, told };
  });
}

/** Each network, with a cache of its own. */
async function inTurn(all, what, compare) {
  const failures = [];
  let [networksDone, compared] = [0, 0];
  for (const model of only ?? (quick ? FAMILIES.slice(0, QUICK) : all)) {
    const cache = mkdtempSync(join(tmpdir(), "isotorch-models-"));
    const started = performance.now();
    const row = (text) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      process.stdout.write(`  ${model.padEnd(20)}${text}; ${seconds} s\n`);
    };
    try {
      const limits = { python, threads: Number(values.threads), cache, seconds: Number(values.seconds) };
      const { count, differing, told } = await compare(model, limits);
      row(told);
      networksDone++;
      compared += count;
      failures.push(...differing.map((one) => `${model}: ${one}`));
    } catch (error) {
      row(`NOT FINISHED: ${error.code ?? error.name}`);
      failures.push(`${model} was not finished: ${String(error.message).trim().split("\n").at(-1)}`);
    } finally {
      rmSync(cache, { recursive: true });
    }
  }
  return { counted: `${networksDone} networks, ${compared} ${what}`, failures };
}
