/** Another local user, and whoever else finds the socket: without the secret nobody is heard. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { Packr } from "msgpackr";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { MAX_FRAME_BYTES } from "../../src/protocol/wire.ts";
import { compiled } from "./compiled.ts";
import { Peer, openChannel } from "./stranger.ts";

const linux = process.platform === "linux";
const root = process.getuid?.() === 0;
const SETTLED_MS = 150;

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "socket-test-"));
  vi.stubEnv("TMPDIR", base);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

/** A number that no process has. */
const deadPid = (): number => Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));

describe("a peer without the secret is ignored", () => {
  test("before the worker's hello: no first message, no guessed proof, no proof of another pid or generation", async () => {
    await using watched = await openChannel();
    using stranger = new Peer(watched.channel.invitation);
    await stranger.pong(1);
    await stranger.hello("00".repeat(32));
    await stranger.hello(undefined, { pid: 43 });
    await stranger.hello(undefined, { generation: 4 });
    await expect.poll(() => watched.dropped.length).toBe(4);
    expect(watched.heard).toEqual([]);
    await expect(watched.channel.send(PING)).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  test("after it, with an identity of its own: not heard, and not spoken to", async () => {
    await using watched = await openChannel();
    using worker = new Peer(watched.channel.invitation);
    await worker.hello();
    await expect.poll(() => watched.heard.length).toBe(1);
    using stranger = new Peer(watched.channel.invitation);
    await stranger.pong(7);
    await stranger.hello("00".repeat(32));
    // Even the true proof is of no use a second time: somebody has read it.
    await stranger.hello();
    await expect.poll(() => watched.dropped.length).toBe(3);
    await watched.channel.send(PING);
    expect(await worker.socket.receive()).toHaveLength(1);
    expect(watched.heard).toHaveLength(1);
    stranger.socket.receiveTimeout = SETTLED_MS;
    await expect(stranger.socket.receive()).rejects.toThrow();
  });

  test("after it, with the worker's own identity: the worker keeps the connection", async () => {
    await using watched = await openChannel();
    using worker = new Peer(watched.channel.invitation, "the-worker");
    await worker.hello();
    await expect.poll(() => watched.heard.length).toBe(1);
    using stranger = new Peer(watched.channel.invitation, "the-worker");
    await stranger.pong(666);
    await delay(SETTLED_MS);
    await watched.channel.send(PING);
    expect(await worker.socket.receive()).toHaveLength(1);
    await worker.pong(1);
    await expect.poll(() => watched.heard.map(({ id }) => id)).toEqual([0, 1]);
  });
});

const PING = { type: "ping", id: 5, generation: 3, fields: {}, frames: [] } as const;

describe("the worker itself is not heard", () => {
  test("in another generation", async () => {
    await using watched = await openChannel();
    using worker = new Peer(watched.channel.invitation);
    await worker.hello();
    await worker.pong(1, 2);
    await worker.pong(2, 4);
    await worker.pong(3);
    await expect.poll(() => watched.heard.map(({ id }) => id)).toEqual([0, 3]);
    expect(watched.dropped).toHaveLength(2);
  });

  // A second hello is passed on, and the session answers it with a second `load`.
  test("when it says hello twice", async () => {
    await using watched = await openChannel();
    using worker = new Peer(watched.channel.invitation);
    await worker.hello();
    await worker.hello();
    await worker.pong(9);
    await expect.poll(() => watched.heard.at(-1)?.id).toBe(9);
    expect(watched.heard.map(({ type }) => type)).toEqual(["hello", "pong"]);
  });
});

/** Version 2, generation 3, id 1. */
const ADDRESS = Buffer.from([0x69, 0x73, 0x6f, 2, 0, 0, 0, 3, 0, 0, 0, 1]);

describe("a message that is too large is dropped for its size alone:", () => {
  const result = { type: "result" };
  const pixel = { name: "picture", dtype: "|u1", shape: [1, 1, 3] };
  const timings = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [`a-stage-with-a-long-name-${i}`, i]),
  );
  const rgb = Buffer.alloc(3);
  const sizes: [string, unknown, Buffer[], RegExp][] = [
    [
      "a header of more than 4 KiB",
      { ...result, timings, frames: [pixel] },
      [rgb],
      /a header of \d{4} bytes/,
    ],
    [
      "nine frames",
      { ...result, timings: {}, frames: Array.from({ length: 9 }, () => ({ ...pixel })) },
      Array(9).fill(rgb),
      /9 payload frames/,
    ],
    ["ten thousand frames", { ...result, timings: {} }, Array(10_000).fill(rgb), /10000 payload frames/],
  ];
  test.each(sizes)("%s", async (_, header, payloads, reason) => {
    await using watched = await openChannel();
    using worker = new Peer(watched.channel.invitation);
    await worker.hello();
    const map = new Packr({ useRecords: false }).pack(header);
    await worker.socket.send([Buffer.concat([ADDRESS, map]), ...payloads]);
    await worker.pong(9);
    await expect.poll(() => watched.heard.map(({ id }) => id)).toEqual([0, 9]);
    expect(watched.dropped).toEqual([expect.stringMatching(reason)]);
  });

  test("a frame of more than the limit ends the connection before it is taken in", async () => {
    await using watched = await openChannel();
    using worker = new Peer(watched.channel.invitation);
    await worker.hello();
    await expect.poll(() => watched.heard.length).toBe(1);
    const before = process.memoryUsage().rss;
    const bomb = Buffer.alloc(MAX_FRAME_BYTES + 1);
    await worker.socket.send([Buffer.from([0x80]), bomb]);
    await delay(1_000);
    expect(watched.dropped).toEqual([]);
    expect(process.memoryUsage().rss - before).toBeLessThan(1.5 * bomb.byteLength);
  });
});

describe.runIf(process.platform !== "win32")("the socket's directory", () => {
  test("is fresh, ours, and closed to everybody else whatever the umask", async () => {
    const umask = process.umask(0);
    try {
      await using one = await openChannel();
      await using two = await openChannel();
      const [first = "", second = ""] = [one, two].map(({ channel }) =>
        dirname(channel.invitation.endpoint.replace("ipc://", "")),
      );
      expect(first).not.toBe(second);
      for (const directory of [first, second]) {
        const { mode, uid } = statSync(directory);
        expect([mode & 0o7777, uid]).toEqual([0o700, process.getuid?.()]);
        expect(dirname(directory)).toBe(base);
      }
    } finally {
      process.umask(umask);
    }
  });

  test("is gone with the channel", async () => {
    const watched = await openChannel();
    expect(readdirSync(base)).toHaveLength(1);
    watched.channel.close();
    expect(readdirSync(base)).toEqual([]);
  });

  test("whose path is too long for a socket is a typed error, and none is left behind", async () => {
    const deep = join(base, "x".repeat(60), "y".repeat(60));
    mkdirSync(deep, { recursive: true });
    vi.stubEnv("TMPDIR", deep);
    const error: unknown = await openChannel().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "WORKER_START_FAILED",
      hint: expect.stringContaining("TMPDIR"),
      message: expect.stringMatching(/path is too long for a socket: \d+ bytes/),
    });
    expect(String(error)).not.toContain(deep);
    expect(readdirSync(deep)).toEqual([]);
  });

  // The listing of a directory that is not there throws Node's own error, with its path.
  test("whose parent does not exist is a typed error", async () => {
    vi.stubEnv("TMPDIR", join(base, "nowhere"));
    await expect(openChannel()).rejects.toMatchObject({ code: "WORKER_START_FAILED" });
  });

  test("is found by two controllers each in its own place: none sweeps the other's", async () => {
    await using one = await openChannel();
    await using two = await openChannel();
    using worker = new Peer(one.channel.invitation);
    using other = new Peer(two.channel.invitation);
    await Promise.all([worker.hello(), other.hello()]);
    await expect.poll(() => [one.heard.length, two.heard.length]).toEqual([1, 1]);
    expect([one.dropped, two.dropped]).toEqual([[], []]);
  });
});

describe.runIf(linux)("leftovers of dead controllers", () => {
  const leftover = (pid: number | string = deadPid()): string => join(base, `isotorch-${pid}-abcDEF`);

  async function sweep(): Promise<void> {
    const watched = await openChannel();
    watched.channel.close();
  }

  test("are swept where they are ours", async () => {
    const path = leftover();
    mkdirSync(path);
    writeFileSync(join(path, "w"), "");
    await sweep();
    expect(existsSync(path)).toBe(false);
  });

  test("are left alone where their controller lives, or the name is another one's", async () => {
    const kept = [
      leftover(process.pid),
      leftover(1),
      leftover("x"),
      `${leftover()}g`,
      `${leftover()}.old`,
      join(base, "isotorch-cache"),
      join(base, "other"),
    ];
    for (const path of kept) mkdirSync(path);
    await sweep();
    for (const path of kept) expect(existsSync(path)).toBe(true);
  });

  test.runIf(root)("are left alone where they belong to somebody else", async () => {
    const path = leftover();
    mkdirSync(path);
    chownSync(path, 65_534, 65_534);
    await sweep();
    expect(existsSync(path)).toBe(true);
  });

  test("are not followed where they are links: what a link points to stays as it is", async () => {
    const treasure = join(base, "treasure");
    mkdirSync(treasure);
    writeFileSync(join(treasure, "gold"), "");
    symlinkSync(treasure, leftover());
    const inside = leftover();
    mkdirSync(inside);
    symlinkSync(treasure, join(inside, "link"));
    await sweep();
    expect(readdirSync(treasure)).toEqual(["gold"]);
    expect(existsSync(inside)).toBe(false);
  });

  // `statSync` follows the link, so somebody else's link to a directory of ours passes for ours.
  test("are not even touched where they are links", async () => {
    const path = leftover();
    symlinkSync(mkdtempSync(join(base, "ours-")), path);
    await sweep();
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
  });

  // In a sticky directory nobody may remove another one's link. `rmSync` then takes the link for a directory, and empties
  // what it points to: with `statSync` any local user has any directory of ours emptied.
  test.runIf(root)("are not emptied through somebody else's link", () => {
    const [link, home] = [leftover(), mkdtempSync(join(tmpdir(), "home-"))];
    writeFileSync(join(home, "precious"), "");
    for (const path of [home, join(home, "precious")]) chownSync(path, 65_534, 65_534);
    symlinkSync(home, link);
    chmodSync(base, 0o1777);
    const folder = compiled();
    try {
      const script = `
        import { Channel } from ${JSON.stringify(pathToFileURL(join(folder, "dist/worker/channel.js")).href)};
        (await Channel.open({ generation: 1, onMessage() {}, onDropped() {} })).close();
      `;
      const args = ["--input-type=module", "-e", script];
      const { status } = spawnSync(process.execPath, args, {
        uid: 65_534,
        gid: 65_534,
        env: { TMPDIR: base },
      });
      expect(readdirSync(home)).toEqual(["precious"]);
      expect(status, "it starts all the same").toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
      rmSync(home, { recursive: true });
    }
  });
});
