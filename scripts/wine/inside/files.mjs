// Files that two processes want at the same time.
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import http from "node:http";
import { Socket } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PYTHON, check, child, gone, internal, scenarios, started } from "./harness.mjs";

const FOLDER = "C:\\files";
const { tryLock } = await internal("base/files/lock.js");
// Wine 8 refuses the option, and fetch would fail.
Socket.prototype.setKeepAlive = function () {
  return this;
};

await scenarios({
  "a finished download is kept while a scanner holds it": async () => {
    const target = empty("weights.pth");
    const script = fileURLToPath(new URL("children/hold.py", import.meta.url));
    const scanner = started(PYTHON, [script, `${target}.part`, "3"]);
    const { request, served, close } = await serve(target, scanner.line());
    const { download } = await internal("checkpoints/download.js");
    const outcome = await download(request).then(
      () => "downloaded",
      (error) => `${error.code}: ${error.message}`,
    );
    await scanner.ended;
    close();
    const files = readdirSync(path.dirname(target)).join(", ");
    const isWell = outcome === "downloaded" && served() === request.bytes;
    return check(isWell && files === "weights.pth", `${outcome}, ${served()} bytes served, there: ${files}`);
  },
  "a lock is one process's, and free again when that one is killed": async () => {
    const file = empty("lock");
    const owner = child("lock", file);
    const first = await owner.line();
    const second = (await tryLock(file)) === undefined ? "not taken" : "taken";
    owner.process.kill("SIGKILL");
    await gone(owner.process.pid, 5_000);
    const lock = await tryLock(file);
    const third = lock === undefined ? "not taken" : "taken";
    await lock?.release();
    const isWell = first === "taken" && second === "not taken" && third === "taken" && !existsSync(file);
    return check(isWell, `first ${first}, second ${second}, after the kill ${third}`);
  },
  "JSON that two processes write and read is never torn, and every write succeeds": async () => {
    const file = empty("settings.json");
    const ends = await Promise.all([child("write-json", file).ended, child("write-json", file).ended]);
    const wrong = ends.map(({ out, err }) => out.trim() || err);
    return check(
      wrong.every((text) => text === "{}"),
      `what went wrong: ${wrong.join(" and ")}`,
    );
  },
  "a lock that Node holds for 12 s is waited for by Python, which makes the checkpoint then": async () => {
    const file = empty("untrained.pth");
    const lock = await tryLock(`${file}.lock`);
    const worker = fileURLToPath(
      new URL("../node_modules/isotorch/python/isotorch_worker/__main__.py", import.meta.url),
    );
    const maker = started(PYTHON, ["-I", "-u", worker, "make", "--seed", "1", "--out", file]);
    let isOver = false;
    void maker.ended.then(() => (isOver = true));
    // msvcrt's own lock gives up after ten.
    await sleep(12_000);
    const isEarly = existsSync(file) || isOver;
    await lock?.release();
    const { code, err } = await maker.ended;
    return check(
      !isEarly && code === 0,
      `code ${code}${isEarly ? ", too early" : ""} ${err.slice(-300)}`.trim(),
    );
  },
});

/** A path in a folder that has nothing in it. */
function empty(name) {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  return path.join(FOLDER, name);
}

/** A file to be downloaded, whose end comes when something else has come to pass. */
async function serve(target, before) {
  const body = randomBytes(3_000_000);
  let served = 0;
  const server = http.createServer((request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = body.subarray(from);
    served += rest.length;
    response.writeHead(from > 0 ? 206 : 200, {
      etag: '"a"',
      "content-length": rest.length,
      ...(from > 0 && { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` }),
    });
    response.write(rest.subarray(0, -1_000));
    void before.finally(() => response.end(rest.subarray(-1_000)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const sha256 = createHash("sha256").update(body).digest("hex");
  const url = `http://127.0.0.1:${server.address().port}/weights.pth`;
  const request = { name: "weights", url, target, sha256, bytes: body.length };
  return { request, served: () => served, close: () => server.close() };
}
