// Compiles src/ and its WebAssembly to dist/, and links the command, so that `npx isotorch` works in a checkout as it does installed.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
rmSync("dist", { recursive: true, force: true });
run("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json");
const asc = "--outFile dist/image/kernel.wasm -O3 --noAssert --runtime stub --enable simd".split(" ");
run("node_modules/assemblyscript/bin/asc.js", "src/image/assembly/kernel.ts", ...asc);
for (const page of ["server/page", "cli/attention/page"])
  cpSync(`src/${page}`, `dist/${page}`, { recursive: true });

const main = "dist/cli/main.js";
const link = "node_modules/.bin/isotorch";
chmodSync(main, 0o755);
mkdirSync("node_modules/.bin", { recursive: true });
if (process.platform !== "win32" && !existsSync(link)) {
  rmSync(link, { force: true });
  symlinkSync(`../../${main}`, link);
}

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
