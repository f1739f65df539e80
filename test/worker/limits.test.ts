/** What a download never does: go on without end, and write what is no longer its own. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { download, type DownloadRequest } from "../../src/checkpoints/download.ts";

const BYTES = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 31 + (at >> 8)) & 255));
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
const TIMING = { stallMs: 20_000, retryMs: 5, pollMs: 20 };

type Answer = (response: ServerResponse) => void;

let target: string;
let url: string;
let server: Server;
let answer: Answer;
/** The Range header of each request. */
let asked: (string | undefined)[];

beforeEach(async () => {
  target = join(await mkdtemp(join(tmpdir(), "isotorch-limits-")), "cache/net.pth");
  asked = [];
  answer = (response) => void response.end(BYTES);
  server = createServer((request, response) => {
    asked.push(request.headers.range);
    answer(response);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/net.pth`;
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await rm(dirname(dirname(target)), { recursive: true, force: true });
});

function fetchIt(over: Partial<DownloadRequest> = {}): Promise<void> {
  return download({ name: "NET", url, target, sha256: SHA256, timing: TIMING, ...over });
}

async function leftOvers(): Promise<string[]> {
  return (await readdir(dirname(target))).filter((name) => name !== "net.pth");
}

describe("a server that never stops", () => {
  /** Sends until it is hung up on. */
  const endless: Answer = (response) => {
    const more = (): void => {
      while (response.write(BYTES)) if (response.destroyed) return;
      response.once("drain", more);
    };
    response.writeHead(200, { etag: '"one"' });
    more();
  };

  test("is cut off at the size that is known, and nothing of it stays", async () => {
    answer = endless;
    await expect(fetchIt({ bytes: 300_000 })).rejects.toMatchObject({
      code: "CHECKPOINT_CORRUPT",
      message: expect.stringContaining("more than the 300000 bytes"),
    });
    expect(await leftOvers()).toEqual([]);
  });

  test("is cut off at the ceiling where the size is not known", async () => {
    answer = endless;
    await expect(fetchIt({ maxBytes: 5_000_000 })).rejects.toMatchObject({
      code: "CHECKPOINT_CORRUPT",
      message: expect.stringContaining("more than the 5000000 bytes"),
    });
    expect(await leftOvers()).toEqual([]);
  });

  test("is cut off whatever length it declares", async () => {
    answer = (response) => {
      response.setHeader("content-length", 1e12);
      endless(response);
    };
    await expect(fetchIt({ maxBytes: 5_000_000 })).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
    expect(await leftOvers()).toEqual([]);
  });

  test("has left more than the file can have: it is fetched afresh", async () => {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.part`, Buffer.alloc(400_000));
    await writeFile(`${target}.part.json`, JSON.stringify({ url, validator: '"one"' }));
    await fetchIt({ maxBytes: 300_000 });
    expect(asked).toEqual([undefined]);
    expect(await leftOvers()).toEqual([]);
  });
});

test("whoever loses the lock while it downloads writes no more, and takes what the next one fetches", async () => {
  const lock = `${target}.lock`;
  answer = (response) => {
    response.writeHead(200, { "content-length": BYTES.length });
    response.write(BYTES.subarray(0, 50_000));
    void (async () => {
      await expect.poll(() => existsSync(`${target}.part`)).toBe(true);
      // As another machine does that shares the folder, after a minute of silence.
      await writeFile(lock, JSON.stringify({ pid: 1, host: "another", token: "t" }));
      response.end(BYTES.subarray(50_000));
    })();
  };
  const fetched = fetchIt({ timing: { ...TIMING } });
  await expect.poll(() => asked.length).toBe(1);
  await expect.poll(async () => readFile(lock, "utf8").catch(() => "")).toContain("another");
  await writeFile(target, BYTES);
  await fetched;
  expect(statSync(`${target}.part`).size).toBeLessThan(BYTES.length);
  expect(await readFile(lock, "utf8")).toContain("another");
});
