import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ProgressEvent } from "../../src/base/progress.ts";
import { end, ended, ofTest } from "../processes.ts";
import { download, type DownloadRequest } from "../../src/checkpoints/download.ts";

const BYTES = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 31 + (at >> 8)) & 255));
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
/** Other processes need JavaScript. */
const DOWNLOAD = new URL("../../dist/checkpoints/download.js", import.meta.url).href;
const TIMING = { stallMs: 60_000, retryMs: 5, pollMs: 20 };

type Answer = (request: IncomingMessage, response: ServerResponse, from: number) => void;

let root: string;
let target: string;
let server: TestServer;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "isotorch-download-")));
  target = join(root, "hub/checkpoints/net.pth");
  server = await testServer();
});
afterEach(async () => {
  server.close();
  await rm(root, { recursive: true, force: true });
});

interface TestServer {
  readonly url: string;
  /** The Range header of each request, `-` where there was none. */
  readonly ranges: string[];
  /** Answers the requests one after the other; the last one stays. */
  answers: Answer[];
  close(): void;
}

async function testServer(): Promise<TestServer> {
  const ranges: string[] = [];
  const http = createServer((request, response) => {
    const range = request.headers.range;
    ranges.push(range ?? "-");
    const answer = state.answers.length > 1 ? state.answers.shift() : state.answers[0];
    answer?.(request, response, Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0));
  });
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  const address = http.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const state: TestServer = {
    url: `http://127.0.0.1:${port}/net.pth`,
    ranges,
    answers: [whole],
    close: () => {
      http.close();
      http.closeAllConnections();
    },
  };
  return state;
}

/** A server as one should be: ranges, an ETag that guards them. */
function head(request: IncomingMessage, response: ServerResponse, from: number, etag = '"one"'): number {
  const start = from > 0 && request.headers["if-range"] === etag ? from : 0;
  const headers = {
    etag,
    "content-type": "application/octet-stream",
    "content-length": BYTES.length - start,
  };
  if (start > 0) {
    response.writeHead(206, {
      ...headers,
      "content-range": `bytes ${start}-${BYTES.length - 1}/${BYTES.length}`,
    });
  } else {
    response.writeHead(200, headers);
  }
  return start;
}

const whole: Answer = (request, response, from) => {
  response.end(BYTES.subarray(head(request, response, from)));
};

/** Sends up to this byte of the file and then cuts the connection. */
function cutAt(byte: number, etag?: string): Answer {
  return (request, response, from) => {
    const start = head(request, response, from, etag);
    response.flushHeaders();
    response.write(
      BYTES.subarray(start, Math.max(start, byte)),
      () => void kept(byte, response).then(() => response.destroy()),
    );
  };
}

/** Resolves when the download has so many bytes of the file: what has not been read when a connection ends is lost. */
async function kept(bytes: number, response: ServerResponse): Promise<void> {
  do await delay(20);
  while (!response.closed && sizeOfPart() < bytes);
}

const sizeOfPart = (): number => statSync(`${target}.part`, { throwIfNoEntry: false })?.size ?? 0;

const refuse =
  (status: number): Answer =>
  (_request, response) =>
    void response.writeHead(status).end();

function fetchIt(over: Partial<DownloadRequest> = {}): Promise<void> {
  return download({ name: "NET", url: server.url, target, sha256: SHA256, timing: TIMING, ...over });
}

async function leftOvers(): Promise<string[]> {
  return (await readdir(join(root, "hub/checkpoints"))).filter((name) => name !== "net.pth");
}

describe("wrong content is thrown away", () => {
  test("another file under the name is CHECKPOINT_CORRUPT and nothing is kept", async () => {
    server.answers = [(_request, response) => response.end("not a checkpoint")];
    await expect(fetchIt()).rejects.toMatchObject({
      code: "CHECKPOINT_CORRUPT",
      message: expect.stringContaining(SHA256),
      hint: expect.stringContaining(target),
    });
    expect(await readdir(join(root, "hub/checkpoints"))).toEqual([]);
  });

  test("one flipped bit is found, by the whole hash and by its first eight digits", async () => {
    const flipped = Buffer.from(BYTES);
    flipped.writeUInt8(flipped.readUInt8(100_000) ^ 1, 100_000);
    server.answers = [(_request, response) => response.end(flipped)];
    await expect(fetchIt()).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
    const prefixOnly = { sha256: null, sha256Prefix: SHA256.slice(0, 8) };
    await expect(fetchIt(prefixOnly)).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
    expect(await readdir(join(root, "hub/checkpoints"))).toEqual([]);
  });

  test("a login page is named as what it is", async () => {
    server.answers = [
      (_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>log in"),
    ];
    await expect(fetchIt()).rejects.toMatchObject({
      code: "CHECKPOINT_CORRUPT",
      message: `${server.url} answered with a web page instead of a checkpoint.`,
    });
  });

  test("a server that sends more than the file has is stopped", async () => {
    server.answers = [
      (_request, response) => {
        const flood = setInterval(() => response.write(BYTES), 1);
        response.on("close", () => clearInterval(flood));
      },
    ];
    await expect(fetchIt({ bytes: BYTES.length })).rejects.toMatchObject({
      code: "CHECKPOINT_CORRUPT",
      message: expect.stringContaining("sent more than"),
    });
  });
});

describe("what cannot be had or kept is told with the way out", () => {
  test("nobody listens", async () => {
    server.close();
    const started = Date.now();
    await expect(fetchIt({ timing: { ...TIMING, retryMs: 60_000 } })).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("ECONNREFUSED"),
      hint: `Put the file by hand at ${target} (from ${server.url}), name a mirror with ISOTORCH_WEIGHTS_URL, or try without trained weights: --weights untrained:0`,
    });
    expect(Date.now() - started).toBeLessThan(30_000);
  });

  test("404 is told at once, 503 after four attempts", async () => {
    server.answers = [refuse(404)];
    await expect(fetchIt()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("HTTP 404"),
    });
    expect(server.ranges).toHaveLength(1);
    server.answers = [refuse(503)];
    await expect(fetchIt()).rejects.toMatchObject({
      message: expect.stringContaining("HTTP 503, attempt 4"),
    });
    expect(server.ranges).toHaveLength(5);
  });

  test("a connection that is always cut is resumed three times and then given up", async () => {
    server.answers = [cutAt(10_000), cutAt(20_000), cutAt(30_000), cutAt(40_000)];
    await expect(fetchIt()).rejects.toMatchObject({ code: "DOWNLOAD_FAILED" });
    expect(server.ranges).toHaveLength(4);
    expect(existsSync(target)).toBe(false);
    expect(existsSync(`${target}.lock`)).toBe(false);
  });

  test("a cache below a regular file cannot be written", async () => {
    await writeFile(join(root, "file"), "");
    const below = join(root, "file/checkpoints/net.pth");
    await expect(fetchIt({ target: below })).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining(`${below} cannot be written: `),
      hint: expect.stringContaining("TORCH_HOME"),
    });
    expect(server.ranges).toEqual([]);
  });

  test.skipIf(!existsSync("/dev/full"))(
    "a full disk is named, and the piece that filled it removed",
    async () => {
      await mkdir(join(root, "hub/checkpoints"), { recursive: true });
      await symlink("/dev/full", `${target}.part`);
      await expect(fetchIt({ bytes: BYTES.length })).rejects.toMatchObject({
        code: "DOWNLOAD_FAILED",
        message: `The disk is full while writing ${target} (it needs 1 MiB).`,
      });
      expect(await readdir(join(root, "hub/checkpoints"))).toEqual([]);
    },
  );

  test("an abort is ABORTED, and the next download goes on where it was", async () => {
    const stop = new AbortController();
    server.answers = [
      (request, response, from) => {
        head(request, response, from);
        response.write(BYTES.subarray(0, 50_000), () => void kept(50_000, response).then(() => stop.abort()));
      },
      whole,
    ];
    await expect(fetchIt({ signal: stop.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(await leftOvers()).toEqual(["net.pth.part", "net.pth.part.json"]);
    await fetchIt();
    expect(server.ranges).toEqual(["-", "bytes=50000-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
    expect(await leftOvers()).toEqual([]);
  });
});

describe("a download goes on", () => {
  test.each([0, 50, 99])("after a cut at %i %%", async (percent) => {
    const at = (BYTES.length * percent) / 100;
    server.answers = [cutAt(at), whole];
    await fetchIt();
    expect(server.ranges).toEqual(["-", percent === 0 ? "-" : `bytes=${at}-`]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
    expect(await leftOvers()).toEqual([]);
  });

  test("after silence in the middle, and after silence before the first byte", async () => {
    server.answers = [
      (request, response, from) => {
        head(request, response, from);
        response.write(BYTES.subarray(0, 1_000));
      },
      () => {},
      whole,
    ];
    await fetchIt({ timing: { ...TIMING, stallMs: 1_000 } });
    expect(server.ranges).toEqual(["-", "bytes=1000-", "bytes=1000-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("from the start where the server knows no ranges", async () => {
    const plain: Answer = (_request, response) => response.writeHead(200, { etag: '"one"' }).end(BYTES);
    server.answers = [cutAt(100_000), plain];
    await fetchIt();
    expect(server.ranges).toEqual(["-", "bytes=100000-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("from the start where the server gives neither ETag nor date", async () => {
    const anonymous: Answer = (_request, response) => {
      response.writeHead(200, { "content-length": BYTES.length });
      response.write(BYTES.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
    };
    server.answers = [anonymous, whole];
    await fetchIt();
    expect(server.ranges).toEqual(["-", "-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("from the start where the file on the server has changed", async () => {
    server.answers = [cutAt(100_000, '"old"'), whole];
    await fetchIt();
    expect(server.ranges).toEqual(["-", "bytes=100000-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("once from the start where a server joins two versions all the same", async () => {
    await mkdir(join(root, "hub/checkpoints"), { recursive: true });
    await writeFile(`${target}.part`, Buffer.alloc(100_000));
    await writeFile(`${target}.part.json`, JSON.stringify({ url: server.url, validator: '"one"' }));
    await fetchIt();
    expect(server.ranges).toEqual(["bytes=100000-", "-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("takes what lies whole beside its place, and asks nobody", async () => {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.part`, BYTES);
    await fetchIt();
    expect(server.ranges).toEqual([]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
    expect(await leftOvers()).toEqual([]);
  });

  test("does not take what is only as long", async () => {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.part`, Buffer.alloc(BYTES.length));
    await fetchIt();
    expect(server.ranges).toEqual(["-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("keeps what it cannot put in its place for the next time", async () => {
    await mkdir(target, { recursive: true });
    await expect(fetchIt()).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("cannot be put in its place") as string,
    });
    await rm(target, { recursive: true });
    await fetchIt();
    expect(server.ranges).toEqual(["-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
  });

  test("and reports it with the field names of transformers.js", async () => {
    const events: ProgressEvent[] = [];
    await fetchIt({ onProgress: (event) => events.push(event) });
    expect(events[0]).toEqual({ status: "initiate", name: "NET", file: "net.pth" });
    expect(events[1]).toEqual({ status: "download", name: "NET", file: "net.pth" });
    const last = events.findLast(({ status }) => status === "progress");
    expect(last).toMatchObject({ progress: 100, loaded: BYTES.length, total: BYTES.length });
    expect(events.at(-1)).toEqual({ status: "done", name: "NET", file: "net.pth" });
  });
});

describe("two at once", () => {
  test("processes share one download, and a killed one's lock stops nobody", async () => {
    const run = (): ChildProcess =>
      ofTest(spawn(process.execPath, ["--input-type=module", "-e", child()], { stdio: "inherit" }));
    server.answers = [cutAt(60_000), () => {}];
    const victim = run();
    await expect.poll(() => server.ranges.length).toBe(2);
    await end(victim);
    expect(existsSync(`${target}.lock`)).toBe(true);
    // How much of the cut answer arrived before the reset is the system's affair.
    const left = sizeOfPart();

    server.answers = [(request, response, from) => setTimeout(() => whole(request, response, from), 300)];
    const ends = await Promise.all([run(), run(), run()].map((process) => ended(process)));
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(server.ranges.slice(2)).toEqual([left > 0 ? `bytes=${left}-` : "-"]);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
    expect(await leftOvers()).toEqual([]);
  });
});

function child(): string {
  const request = {
    name: "NET",
    url: server.url,
    target,
    sha256: SHA256,
    timing: TIMING,
  };
  return `import { download } from ${JSON.stringify(DOWNLOAD)}; await download(${JSON.stringify(request)});`;
}
