import { chmod, mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Checkpoint, resolveCheckpoint } from "../../src/checkpoints/resolve.ts";
import type * as Table from "../../src/checkpoints/table.ts";
import { knownCheckpoints } from "../../src/checkpoints/table.ts";

// The digits in its name are all that is known of it; here they are those of a file that is made.
const CONTENT = "weights";
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");
const table = vi.hoisted(() => ({ prefix: "" }));
vi.mock("../../src/checkpoints/table.ts", async (original) => {
  const real = await original<typeof Table>();
  const changed = (weights: string, model: string): object => ({
    ...real.knownCheckpoint(weights, model),
    sha256: null,
    sha256Prefix: table.prefix,
    bytes: null,
  });
  return { ...real, knownCheckpoint: changed };
});

const MODEL = "vit_b_16";
const WEIGHTS = "IMAGENET1K_SWAG_LINEAR_V1";
const FILE = basename(knownCheckpoints(MODEL)[WEIGHTS]?.url ?? "");

let root: string;
let path: string;
let server: Server | undefined;
beforeEach(async () => {
  table.prefix = SHA256.slice(0, 8);
  root = await realpath(await mkdtemp(join(tmpdir(), "isotorch integrity-")));
  path = join(root, FILE);
  vi.stubEnv("ISOTORCH_WEIGHTS_URL", "http://127.0.0.1:1/models/");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  server?.close();
  server = undefined;
  await chmod(root, 0o700);
  await rm(root, { recursive: true, force: true });
});

function load(options: object = {}): Promise<Checkpoint> {
  return resolveCheckpoint(WEIGHTS, { model: MODEL, cacheDir: root, ...options });
}

/** A mirror that sends this. */
async function sending(content: string): Promise<void> {
  const http = createServer((_request, response) => response.end(content));
  server = http;
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  const address = http.address();
  vi.stubEnv("ISOTORCH_WEIGHTS_URL", `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
}

test("the first load checks the digits in the name and notes the whole hash; later ones go by that", async () => {
  await writeFile(path, CONTENT);
  expect(await load()).toMatchObject({ integrity: "prefix", sha256: SHA256 });
  expect(await readFile(`${path}.sha256`, "utf8")).toBe(`${SHA256}  ${FILE}\n`);
  // The worker compares with what was noted, whatever is there now.
  await writeFile(path, "others");
  expect(await load()).toMatchObject({ integrity: "first use", sha256: SHA256 });
});

test("other digits are CHECKPOINT_CORRUPT, and nothing is noted", async () => {
  await writeFile(path, "others");
  await expect(load()).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
  expect(await readdir(root)).toEqual([FILE]);
});

test("a hash that is given pins the file, whatever was noted", async () => {
  await writeFile(path, CONTENT);
  await load();
  expect(await load({ sha256: SHA256 })).toMatchObject({ integrity: "pinned", sha256: SHA256 });
});

test("where no note can be written the file stays as it is, and so does the word", async () => {
  await writeFile(path, CONTENT);
  // Whoever may write anywhere cannot write a file where a directory is.
  await mkdir(`${path}.sha256`);
  await chmod(root, 0o500);
  for (let time = 0; time < 2; time += 1)
    expect(await load()).toMatchObject({ integrity: "prefix", sha256: SHA256 });
  expect(await readdir(root)).toEqual([FILE, `${FILE}.sha256`]);
});

test("a note that is none is written anew, and one of other weights is told", async () => {
  await writeFile(path, CONTENT);
  await writeFile(`${path}.sha256`, "");
  expect(await load()).toMatchObject({ integrity: "prefix" });
  const other = "0".repeat(64);
  await writeFile(`${path}.sha256`, `${other}  ${FILE}\n`);
  await expect(load()).rejects.toMatchObject({
    code: "CHECKPOINT_CORRUPT",
    message: expect.stringContaining(`notes the SHA-256 ${other}`),
    hint: expect.stringContaining("Remove both"),
  });
});

test("what is downloaded again must be what was noted, though its digits be right", async () => {
  await writeFile(path, CONTENT);
  await load();
  await rm(path);
  // As somebody can make who tries for long.
  const noted = `${SHA256.slice(0, 8)}${"0".repeat(56)}`;
  await writeFile(`${path}.sha256`, `${noted}  ${FILE}\n`);
  await sending(CONTENT);
  await expect(load()).rejects.toMatchObject({
    code: "CHECKPOINT_CORRUPT",
    message: expect.stringContaining(`SHA-256 ${SHA256}, expected ${noted}`),
    hint: expect.stringContaining(`noted at an earlier load, in ${path}.sha256`),
  });
});

test("a licence is told before the download, once, and not where the file is here", async () => {
  const told: string[] = [];
  const events: string[] = [];
  const logger = { warn: (line: string): void => void told.push(line) };
  const onProgress = ({ status }: { status: string }): void => void events.push(`${told.length} ${status}`);
  await sending(CONTENT);
  const { licence } = await load({ logger, onProgress });
  expect(told).toEqual([
    "vit_b_16's IMAGENET1K_SWAG_LINEAR_V1 has a licence of its own, CC-BY-NC-4.0: https://github.com/facebookresearch/SWAG/blob/main/LICENSE",
  ]);
  expect(events[0]).toBe("1 initiate");
  expect(licence).toMatchObject({ name: "CC-BY-NC-4.0" });
  await load({ logger });
  expect(told).toHaveLength(1);
});
