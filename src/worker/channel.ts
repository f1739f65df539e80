/**
 * One authenticated conversation with one worker over a ROUTER socket. The only file that imports zeromq.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Router } from "zeromq";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { MAX_FRAME_BYTES, addressOf, decode, encode, versionOf } from "../protocol/wire.ts";
import type { Message } from "../protocol/wire.ts";

/** Messages that either side may queue inside the socket; the default of 1000 would hide 600 MB of tensors. */
const HIGH_WATER_MARK = 8;
/** `sun_path` of Linux, less its terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;
const DIRECTORY_PREFIX = "isotorch-";

/** What the worker needs to join; it travels through its stdin alone. */
export interface Invitation {
  readonly endpoint: string;
  readonly secret: string;
  readonly generation: number;
  readonly curve?: { readonly serverKey: string };
}

/** Who hears what comes; nobody hears anything before the first {@link Channel.hold}. */
export interface ChannelListener {
  readonly onMessage: (message: Message) => void;
  /** A message of the worker's own that cannot be read: whoever waits for this id gets nothing else. */
  readonly onUnreadable: (id: number, error: unknown) => void;
  /** The first message is of another version of the protocol: nobody will prove the secret. */
  readonly onOtherVersion: (version: number) => void;
  /** A frame was dropped: malformed, from a stranger, or from an earlier generation. */
  readonly onDropped: (reason: string) => void;
}

export class Channel {
  readonly invitation: Invitation;
  /** Which start of a worker it is for. */
  readonly generation: number;
  readonly #socket: Router;
  readonly #directory: string | undefined;
  readonly #secret: Buffer;
  #listener: ChannelListener | undefined;
  #peer: Buffer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #holds = 0;
  #reading = false;
  #closed = false;

  private constructor(socket: Router, directory: string | undefined, invitation: Invitation) {
    this.generation = invitation.generation;
    this.#socket = socket;
    this.#directory = directory;
    this.#secret = Buffer.from(invitation.secret, "hex");
    this.invitation = invitation;
  }

  /** Binds a fresh private endpoint: `ipc://` in a 0700 directory, or loopback tcp with CURVE on Windows. */
  static async open(generation: number): Promise<Channel> {
    // Its native library is loaded while Python starts.
    const { Router: Socket, curveKeyPair } = await import("zeromq");
    const socket = new Socket({
      linger: 0,
      mandatory: true,
      sendHighWaterMark: HIGH_WATER_MARK,
      receiveHighWaterMark: HIGH_WATER_MARK,
      maxMessageSize: MAX_FRAME_BYTES,
    });
    const secret = randomBytes(32).toString("hex");
    if (process.platform === "win32") {
      const keys = curveKeyPair();
      socket.curveServer = true;
      socket.curveSecretKey = keys.secretKey;
      await socket.bind("tcp://127.0.0.1:*");
      const endpoint = socket.lastEndpoint ?? "";
      const curve = { serverKey: keys.publicKey };
      return new Channel(socket, undefined, { endpoint, secret, generation, curve });
    }
    const directory = privateDirectory();
    const endpoint = `ipc://${join(directory, "w")}`;
    try {
      await socket.bind(endpoint);
    } catch (cause) {
      remove(directory);
      // The cause stays behind: it carries the endpoint, which no error and no log may show.
      throw new IsotorchError(
        "WORKER_START_FAILED",
        `The worker's socket could not be opened: ${messageOf(cause)}.`,
        {
          hint: "Check that the temporary directory (TMPDIR) is writable and on a local file system.",
        },
      );
    }
    return new Channel(socket, directory, { endpoint, secret, generation });
  }

  /** Says who hears what comes from now on. */
  listen(listener: ChannelListener): void {
    this.#listener = listener;
  }

  /**
   * Reads for as long as somebody holds. A pending receive keeps Node alive, so an idle channel has none:
   * that is what lets a script end by itself.
   *
   * @returns the release, to be called once.
   */
  hold(): () => void {
    this.#holds += 1;
    if (!this.#reading) void this.#read();
    let held = true;
    return () => {
      if (held) this.#holds -= 1;
      held = false;
    };
  }

  /** Hands a message to the socket, in order. The payload buffers belong to the socket from then on. */
  send(message: Message): Promise<void> {
    const frames = encode(message);
    const sent = this.#writing.then(async () => {
      if (this.#closed) throw new IsotorchError("CLOSED", "The channel is closed.");
      if (this.#peer === undefined) throw new IsotorchError("PROTOCOL_ERROR", "No worker has joined yet.");
      await this.#socket.send([this.#peer, ...frames]);
    });
    this.#writing = sent.catch(() => undefined);
    return sent;
  }

  /** Idempotent. Closes the socket and removes its directory; nothing is read or sent afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#holds = 0;
    this.#socket.close();
    if (this.#directory !== undefined) remove(this.#directory);
  }

  async #read(): Promise<void> {
    this.#reading = true;
    while (this.#holds > 0 && !this.#closed) {
      let frames: Buffer[];
      try {
        frames = await this.#socket.receive();
      } catch (error) {
        if (!this.#closed) this.#listener?.onDropped(`the socket failed: ${messageOf(error)}`);
        break;
      }
      this.#receive(frames);
    }
    this.#reading = false;
  }

  #receive([peer, ...frames]: Buffer[]): void {
    if (peer === undefined) return;
    if (this.#peer !== undefined && !peer.equals(this.#peer)) {
      this.#listener?.onDropped("a message from a peer that is not the worker");
      return;
    }
    let message: Message;
    try {
      message = decode(frames);
    } catch (error) {
      this.#listener?.onDropped(messageOf(error));
      this.#unreadable(frames, error);
      return;
    }
    if (message.generation !== this.generation) {
      this.#listener?.onDropped(`a ${message.type} of generation ${message.generation}`);
      return;
    }
    if (this.#peer !== undefined && message.type === "hello") {
      this.#listener?.onDropped("a second hello");
      return;
    }
    if (this.#peer === undefined) {
      if (message.type !== "hello" || !this.#proves(message.fields.proof, message.fields.pid)) {
        this.#listener?.onDropped("a first message without proof of the secret");
        return;
      }
      this.#peer = Buffer.from(peer);
    }
    this.#listener?.onMessage(message);
  }

  #unreadable(frames: readonly Buffer[], error: unknown): void {
    const [header = Buffer.alloc(0)] = frames;
    const [address, version] = [addressOf(frames), versionOf(header)];
    if (this.#peer === undefined) {
      if (address === undefined && version !== undefined) this.#listener?.onOtherVersion(version);
    } else if (address?.generation === this.generation) {
      this.#listener?.onUnreadable(address.id, error);
    }
  }

  #proves(proof: string, pid: number): boolean {
    const expected = createHmac("sha256", this.#secret)
      .update(`isotorch hello ${this.generation} ${pid}`)
      .digest();
    const given = Buffer.from(proof, "hex");
    return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
  }
}

/** A fresh 0700 directory that carries our pid, so that the leftovers of a killed controller can be told and swept. */
function privateDirectory(): string {
  const base = tmpdir();
  let directory: string;
  try {
    sweepLeftovers(base);
    directory = mkdtempSync(join(base, `${DIRECTORY_PREFIX}${process.pid}-`));
    directories.add(directory);
  } catch (cause) {
    throw new IsotorchError(
      "WORKER_START_FAILED",
      `There is no directory for the worker's socket: ${messageOf(cause)}`,
      {
        cause,
        hint: "Set TMPDIR to a directory that exists and can be written.",
      },
    );
  }
  const bytes = Buffer.byteLength(join(directory, "w"));
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    remove(directory);
    throw new IsotorchError(
      "WORKER_START_FAILED",
      `The temporary directory's path is too long for a socket: ${bytes} bytes, at most ${MAX_SOCKET_PATH_BYTES} fit.`,
      { hint: "Set TMPDIR to a directory with a shorter path." },
    );
  }
  return directory;
}

/** Those that are there; the end of the Node process itself, where nothing can be awaited, takes them along. */
const directories = new Set<string>();
process.on("exit", () => {
  for (const directory of directories) remove(directory);
});

function remove(directory: string): void {
  directories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}

function sweepLeftovers(base: string): void {
  for (const name of readdirSync(base)) {
    const owner = new RegExp(`^${DIRECTORY_PREFIX}(\\d+)-\\w{6}$`).exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    const path = join(base, name);
    try {
      // `lstat`: a link is never followed. Where it may not be removed, `rmSync` would empty what it points to.
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory() && stat.uid === process.getuid?.())
        rmSync(path, { recursive: true, force: true });
    } catch {
      // Leftovers that cannot be removed are no reason not to start.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
