// Triton's perf_analyzer: the last wheel of tritonclient that holds it for a glibc before 2.38, with the two libraries that
// it is linked to and this machine may not have. Nothing is installed into the system.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

const WHEELS = ["tritonclient==2.51.0", "nvidia-cuda-runtime-cu12==12.9.79"];
const PROGRAM = "tritonclient-2.51.0.data/data/bin/perf_analyzer";
const LIBRARIES = ["usr/lib/x86_64-linux-gnu", "nvidia/cuda_runtime/lib"];

/** `run(...arguments)` and its output, or undefined where it cannot be had here. */
export function perfAnalyzer(python, folder) {
  const program = join(folder, PROGRAM);
  const libraries = LIBRARIES.map((name) => join(folder, name)).join(":");
  const env = { ...process.env, LD_LIBRARY_PATH: libraries };
  const run = (...args) => {
    const { status, stdout, stderr } = spawnSync(program, args, { env, encoding: "utf8", timeout: 300_000 });
    return { status, printed: `${stdout}${stderr}` };
  };
  const isThere = () => existsSync(program) && run("--version").status === 0;
  if (!isThere()) unpack(python, folder, program);
  return isThere() ? run : undefined;
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

/** Runs it in the ways that people do; false where one failed. */
export function analyze(run, { url, token, model }) {
  const common = ["-m", model, "-u", url.replace("http://", ""), "-i", "http", "--service-kind", "triton"];
  const measured = ["--measurement-mode", "count_windows", "--measurement-request-count", "8"];
  // How even the times are says something of this machine, not of the server.
  const patient = ["--max-trials", "2", "--stability-percentage", "1000"];
  const header = ["-H", `Authorization: Bearer ${token}`];
  const ways = {
    "one after the other": [],
    "two at a time": ["--concurrency-range", "2"],
    "batches of four": ["-b", "4"],
    "without waiting": ["--async", "--concurrency-range", "2"],
  };
  let isGood = true;
  for (const [way, args] of Object.entries(ways)) {
    const { status, printed } = run(...common, ...measured, ...patient, ...header, ...args);
    const counted = /Successful request count: [1-9]/.test(printed);
    const isRight = status === 0 && counted && /throughput: \d/.test(printed);
    process.stdout.write(`${isRight ? "ok" : "FAILED"}  perf_analyzer: ${way}\n${isRight ? "" : printed}`);
    isGood &&= isRight;
  }
  return isGood;
}
