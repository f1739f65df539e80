// The cases, in the order of the table. Each returns rows; each competitor has its turn in every round: A B A B.
import { rmSync } from "node:fs";
import { onOneCore } from "./lib/child.mjs";
import {
  oursCold,
  plainCold,
  startOrt,
  startOurs,
  startWithStub,
  startPlain,
  startPreprocessors,
  untilFirstLine,
  withoutAttestation,
} from "./lib/competitors.mjs";
import { SIZES, picture, pictureSet } from "./lib/pictures.mjs";
import { absent, atLeast, atMost, measured } from "./lib/rows.mjs";
import { median, slope, worstStep } from "./lib/statistics.mjs";

const PLAIN = "plain PyTorch";
const ORT = "onnxruntime-node fp32";
const MEMORY_PICTURES = 10_000;
/** The event loop may be this late, ms. */
const LATE = 20;
/** Falls below this are falls; what is above is measurement. */
const STEADY = 0.97;

export const CASES = { bridge, exact, fused, precisions, preprocess, loop, cold, memory, callers };

async function bridge(bench) {
  const image = await picture(1280, 720, 1);
  return together([() => startOurs(bench.options), () => startPlain(bench)], async ([ours, plain]) => {
    const block = { path: image, count: 3 };
    const outside = [];
    const oursOnce = async () => {
      const answer = await ours.ask({ do: "tensor", ...block });
      outside.push(...answer.outside);
      return median(answer.times);
    };
    const plainOnce = async () => median((await plain.ask({ do: "forward", ...block })).times);
    const pairs = await rounds(bench.quick ? 10 : 40, oursOnce, plainOnce);
    const goal = atMost(1.01);
    const row = measured(
      "bridge: classify(tensor) against the same forward in plain Python",
      "ms",
      pairs,
      goal,
    );
    const within = median(outside);
    row.note =
      `overhead ${percent(row.ratio - 1)} of the forward, p50, between processes; ` +
      `within the same calls ${within.toFixed(2)} ms outside the forward pass, ${percent(within / row.rival)}`;
    return [row];
  });
}

async function exact(bench) {
  const name = `picture to top five, exact, against the ${PLAIN} loop`;
  return [await againstPlain(bench, "exact", name, atLeast(1.05))];
}

async function fused(bench) {
  const names = ["our preprocessing for both", "each with its own preprocessing"];
  const title = (which) => `picture to top five, fused, against ${ORT}, ${which}`;
  const goals = [atLeast(1), null];
  if (bench.ort.reason !== undefined)
    return names.map((name, i) => absent(title(name), "pictures/s", goals[i], bench.ort.reason));
  const built = await startPrecision(bench, "fused");
  const ours = built.child ?? (await startOurs(bench.options));
  return together([() => ours, () => startOrt(bench)], async ([, ort]) => {
    const paths = await bench.pictures();
    const rows = [];
    for (const [i, own] of [false, true].entries()) {
      const setting = await bestSettings(ort, paths, own);
      let best = [];
      const oursOnce = async () => {
        const answer = await ours.ask({ do: "classify", paths });
        best = answer.best;
        return perSecond(paths, answer);
      };
      const agreement = { same: 0 };
      const ortOnce = async () => {
        const answer = await ort.ask({ do: "classify", paths, own, ...setting });
        agreement.same = answer.best.filter((index, at) => index === best[at]).length;
        return perSecond(paths, answer);
      };
      const pairs = await rounds(bench.quick ? 3 : 7, oursOnce, ortOnce);
      const withheld = built.child === undefined;
      const note =
        (withheld ? `fused: ${built.note}, measured with exact instead; ` : "") +
        `its batch is ${setting.batch}, its threads are ${setting.waiting}, the fastest of four settings; ` +
        `the same best class for ${agreement.same} of ${paths.length}`;
      rows.push(measured(title(names[i]), "pictures/s", pairs, goals[i], { note, withheld }));
    }
    return rows;
  });
}

async function precisions(bench) {
  const rows = [];
  for (const [precision, goal] of Object.entries({ fused: atLeast(1.3), bf16: atLeast(2.2), fp16: null })) {
    rows.push(await againstPlain(bench, precision, `${precision} against ${PLAIN} eager`, goal));
  }
  return rows;
}

async function preprocess(bench) {
  const pinned = onOneCore();
  const { ours, plain } = await startPreprocessors(bench, pinned);
  return together([() => ours, () => plain], async () => {
    const rows = [];
    for (const { megapixels, width, height } of SIZES) {
      const path = await picture(width, height, 1);
      const count = Math.ceil((bench.quick ? 6 : 12) / megapixels);
      const wall = [];
      const once = (child) => async () => {
        const answer = await child.ask({ do: "preprocess", path, count });
        wall.push(answer.wall / answer.cpu);
        return 1000 / answer.cpu;
      };
      const pairs = await rounds(bench.quick ? 5 : 11, once(ours), once(plain));
      const title = `decode + preprocess against Pillow + torchvision, ${megapixels} megapixels`;
      const where = pinned.length > 0 ? "both on the same core" : "not pinned to a core: there is no taskset";
      const note = `processor time, one thread, ${where}; wall time was ${median(wall).toFixed(2)} x that`;
      rows.push(measured(title, "pictures/s per core", pairs, atLeast(1.2), { note }));
    }
    return rows;
  });
}

async function loop(bench) {
  const { width, height } = SIZES.at(-1);
  const path = await picture(width, height, 1);
  return together([() => startOurs(bench.options)], async ([ours]) => {
    const rows = [];
    for (const classified of [false, true]) {
      const paths = Array.from({ length: bench.quick ? 8 : 24 }, () => path);
      const worst = [];
      const once = async () => {
        const { p99, max } = await ours.ask({ do: "delay", paths, classified });
        worst.push(max);
        return p99;
      };
      const pairs = await rounds(bench.quick ? 2 : 5, once, () => LATE);
      const title = `event loop delay, p99, while 12-megapixel JPEGs are ${classified ? "classified" : "preprocessed"}, against ${LATE} ms`;
      const note = `${paths.length} at once; the longest delay of a round was ${median(worst).toFixed(1)} ms in the median`;
      rows.push(measured(title, "ms", pairs, atMost(1), { note }));
    }
    return rows;
  });
}

async function cold(bench) {
  const image = await picture(1280, 720, 1);
  const ours = () => untilFirstLine(...oursCold(bench, image));
  const plain = () => untilFirstLine(...plainCold(bench, image));
  const pairs = await rounds(bench.quick ? 3 : 9, ours, plain);
  const note = "from the start of the process to its first line; files are in the system's cache for both";
  return [
    measured("first answer from a cold start against the plain script", "ms", pairs, atMost(0.9), { note }),
    await attestation(bench, image),
  ];
}

/** By `encoded`, so that both prepare the picture in the same place. */
async function attestation(bench, image) {
  const bare = withoutAttestation();
  try {
    const encoded = ["--handoff", "encoded"];
    const ours = () => untilFirstLine(...oursCold(bench, image, undefined, ...encoded));
    const without = () => untilFirstLine(...oursCold(bench, image, bare, ...encoded));
    const pairs = await rounds(bench.quick ? 3 : 15, ours, without);
    const title = "first answer from a cold start against one without the attestation";
    const note = "a copy of the package that compares no picture; both by encoded";
    return measured(title, "ms", pairs, atMost(1.03), { note });
  } finally {
    rmSync(bare, { recursive: true, force: true });
  }
}

async function memory(bench) {
  return [await controllerMemory(bench), await workerMemory(bench)];
}

async function controllerMemory(bench) {
  const total = bench.quick ? 500 : MEMORY_PICTURES;
  const paths = await bench.pictures();
  const { samples } = await together([() => startWithStub(bench)], ([ours]) =>
    ours.ask({ do: "resident", paths, total }),
  );
  // The first fifth is the warm-up: code is compiled, pools are filled.
  const settled = samples.slice(Math.floor(samples.length / 5));
  const rise = slope(settled);
  const middle = median(settled.map(([, size]) => size));
  const span = settled.at(-1)[0] - settled[0][0];
  const pair = { ours: middle + (rise * span) / 2, rival: middle - (rise * span) / 2 };
  const curve = { title: "MiB resident over pictures", points: samples };
  const note =
    `the end of a line through the resident size against its start, after a fifth as warm-up; ` +
    `the worker is the tests' stub, which has no network: the controller's work is the same` +
    (bench.quick ? `; ${total} pictures only (--quick)` : "");
  const name = `memory: controller over ${MEMORY_PICTURES} pictures, end against start`;
  return measured(name, "MiB", [pair], atMost(1.05), { note, curve, withheld: bench.quick });
}

async function workerMemory(bench) {
  const name = "memory: worker peak against the plain script";
  if (process.platform !== "linux")
    return absent(name, "MiB", atMost(1.1), "only Linux tells a process's peak");
  const paths = await bench.pictures();
  const peak = (start) => () =>
    together([start], async ([child]) => {
      await child.ask({ do: "classify", paths });
      return (await child.ask({ do: "peak" })).peak;
    });
  const ours = peak(() => startOurs(bench.options));
  const plain = peak(() => startPlain(bench));
  return measured(name, "MiB", await rounds(bench.quick ? 1 : 3, ours, plain, 0), atMost(1.1));
}

async function callers(bench) {
  const levels = bench.quick ? [1, 8, 64] : [1, 8, 64, 512];
  const options = { ...bench.options, queue: { maxRequests: 1024, maxBytes: 2 ** 30 } };
  const paths = await bench.pictures();
  const all = [];
  await together([() => startOurs(options)], async ([ours]) => {
    await ours.ask({ do: "callers", paths, callers: 8, total: 16 });
    for (let round = 0; round < 3; round++) {
      const throughputs = [];
      for (const level of levels) {
        const total = Math.max(level, bench.quick ? 24 : 64);
        const { elapsed } = await ours.ask({ do: "callers", paths, callers: level, total });
        throughputs.push((total * 1000) / elapsed);
      }
      all.push(throughputs);
    }
  });
  const medians = levels.map((level, i) => [level, median(all.map((throughputs) => throughputs[i]))]);
  const listed = medians.map(([level, rate]) => `${level}: ${rate.toFixed(2)}`).join(", ");
  const note = `pictures/s by callers: ${listed}; the row has the worst step against the best with fewer callers`;
  const name = `throughput with ${levels.join(", ")} concurrent callers`;
  const curve = { title: "pictures/s over callers", points: medians };
  return [
    measured(name, "pictures/s", all.map(worstStep), atLeast(STEADY), { note, curve, withheld: bench.quick }),
  ];
}

/** Throughput over the set of pictures at a precision, against the tutorial's loop. */
async function againstPlain(bench, precision, name, goal) {
  const { child, note: reason } = await startPrecision(bench, precision);
  if (child === undefined) return absent(name, "pictures/s", goal, reason);
  return together([() => child, () => startPlain(bench)], async ([ours, plain]) => {
    const all = await bench.pictures();
    // Where the worker itself says that this processor computes it slowly, two pictures show it: they take seconds each.
    const caution = /slow/.test(ours.info.deviceReason) ? ours.info.deviceReason : undefined;
    const paths = caution === undefined ? all : all.slice(0, 2);
    const answers = [];
    const once = (competitor) => async () => {
      const answer = await competitor.ask({ do: "classify", paths });
      answers.push(answer.best);
      return perSecond(paths, answer);
    };
    const count = bench.quick || caution !== undefined ? 3 : 7;
    const pairs = await rounds(count, once(ours), once(plain));
    const same = answers.at(-2).filter((index, i) => index === answers.at(-1)[i]).length;
    const agreement = `the same best class for ${same} of ${paths.length} pictures`;
    const note = caution === undefined ? agreement : `${agreement}; ${caution}`;
    return measured(name, "pictures/s", pairs, goal, { note });
  });
}

/** isotorch at this precision, or why there is none. */
async function startPrecision({ options }, precision) {
  try {
    return { child: await startOurs({ ...options, precision }) };
  } catch (error) {
    if (error.code !== "INVALID_OPTION") throw error;
    return { note: error.message.startsWith("Option ") ? "not built" : error.message };
  }
}

/** The settings with which the rival is fastest here and now. */
async function bestSettings(ort, paths, own) {
  const settings = [1, 8].flatMap((batch) => ["spinning", "passive"].map((waiting) => ({ batch, waiting })));
  const tried = [];
  for (const setting of [...settings, ...settings]) {
    const { elapsed } = await ort.ask({ do: "classify", paths, own, ...setting });
    tried.push({ setting, elapsed });
  }
  return tried.toSorted((a, b) => a.elapsed - b.elapsed)[0].setting;
}

/** A B A B: a warm-up for both, then each round gives each its turn. */
async function rounds(count, ours, rival, warmUps = 1) {
  for (let i = 0; i < warmUps; i++) {
    await ours();
    await rival();
  }
  const pairs = [];
  for (let i = 0; i < count; i++) pairs.push({ ours: await ours(), rival: await rival() });
  return pairs;
}

/** Starts the competitors, lets them compete, and closes those that were started, whatever happens. */
async function together(starts, compete) {
  const started = [];
  try {
    for (const start of starts) started.push(await start());
    return await compete(started);
  } finally {
    await Promise.all(started.map((child) => child.close()));
  }
}

function perSecond(paths, { elapsed }) {
  return (paths.length * 1000) / elapsed;
}

function percent(share) {
  return `${(share * 100).toFixed(2)} %`;
}

/** The pictures of a run, made once. */
export function picturesOf(quick) {
  let made;
  return () => (made ??= pictureSet(quick ? 4 : 12));
}
