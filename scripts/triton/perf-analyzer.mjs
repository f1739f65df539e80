// Triton's perf_analyzer: the last wheel of tritonclient that holds it for a glibc before 2.38, with the two libraries that
// it is linked to and this machine may not have. Nothing is installed into the system.
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

const WHEELS = ["tritonclient==2.51.0", "nvidia-cuda-runtime-cu12==12.9.79"];
const PROGRAM = "tritonclient-2.51.0.data/data/bin/perf_analyzer";
const LIBRARIES = ["usr/lib/x86_64-linux-gnu", "nvidia/cuda_runtime/lib"];

/** Runs it by `run(...arguments)`, beside a server in this process; undefined where it cannot be had here. */
export async function perfAnalyzer(python, folder) {
  const program = join(folder, PROGRAM);
  const libraries = LIBRARIES.map((name) => join(folder, name)).join(":");
  const env = { ...process.env, LD_LIBRARY_PATH: libraries };
  const run = (...args) =>
    new Promise((resolve) => {
      execFile(program, args, { env, timeout: 300_000 }, (error, stdout, stderr) =>
        resolve({ isGood: error === null, printed: `${stdout}${stderr}` }),
      );
    });
  const isThere = async () => existsSync(program) && (await run("--version")).isGood;
  if (!(await isThere())) unpack(python, folder, program);
  return (await isThere()) ? run : undefined;
}

function unpack(python, folder, program) {
  mkdirSync(folder, { recursive: true });
  const call = (file, ...args) =>
    spawnSync(file, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  const download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"];
  for (const wheel of WHEELS) call(python, ...download, "--dest", folder, wheel);
  call("apt-get", "download", "libb64-0d"); // of Debian and Ubuntu; elsewhere it may be installed
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".whl")) call(python, "-m", "zipfile", "-e", name, folder);
    if (name.endsWith(".deb")) call("dpkg", "-x", name, folder);
  }
  if (existsSync(program)) chmodSync(program, 0o755);
}

/** Runs it in the ways that people do; false where one failed. @param file the input alone, in its own JSON. */
export async function analyze(run, { url, token, model, file }) {
  const common = ["-m", model, "-u", url.replace("http://", ""), "-i", "http", "--service-kind", "triton"];
  const measured = ["--measurement-mode", "count_windows", "--measurement-request-count", "8"];
  // How even the times are says something of this machine, not of the server.
  const patient = ["--max-trials", "5", "--stability-percentage", "1000"];
  const header = ["-H", `Authorization: Bearer ${token}`];
  const asJson = ["--input-tensor-format", "json", "--output-tensor-format", "json"];
  // Its random bytes are no finite numbers.
  const zero = ["--input-data", "zero"];
  const ways = {
    "one after the other": zero,
    "two at a time": [...zero, "--concurrency-range", "2"],
    "batches of four": [...zero, "-b", "4"],
    "without waiting": [...zero, "--async", "--concurrency-range", "2"],
    "a tensor from a file": ["--input-data", file],
    "a tensor from a file, in JSON": ["--input-data", file, ...asJson],
  };
  let areGood = true;
  for (const [way, args] of Object.entries(ways)) {
    const { isGood, printed } = await run(...common, ...measured, ...patient, ...header, ...args);
    const counted = /Successful request count: [1-9]/.test(printed);
    const isRight = isGood && counted && /throughput: \d/.test(printed);
    process.stdout.write(`${isRight ? "ok" : "FAILED"}  perf_analyzer: ${way}\n${isRight ? "" : printed}`);
    areGood &&= isRight;
  }
  return areGood;
}
