/** The cluster of `cluster.py`, as an object. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CACHE_DIR } from "../checkpoint.ts";

export const PORT = 18_433;

export interface ClusterState {
  readonly replicas: readonly { readonly pid: number; readonly node: string }[];
  readonly nodes: number;
}

export class RayCluster {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    if (child.stdout === null) throw new Error("no pipe");
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Two nodes, one replica. */
  static async start(python: string): Promise<{ cluster: RayCluster; state: ClusterState }> {
    const script = fileURLToPath(new URL("cluster.py", import.meta.url));
    const child = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
    const cluster = new RayCluster(child);
    return { cluster, state: await cluster.ask(JSON.stringify(SETTINGS)) };
  }

  async ask<T = ClusterState>(line: string): Promise<T> {
    this.#child.stdin?.write(`${line}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the cluster ended");
    return JSON.parse(value) as T;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end("quit\n");
    await ended;
  }
}

const SETTINGS = {
  load: {
    model: "resnet101",
    checkpoint: join(CACHE_DIR, "resnet101-untrained-0.pth"),
    checkpointKey: null,
    sha256: null,
    seed: 0,
    transforms: "IMAGENET1K_V1",
    spec: null,
    device: "cpu",
    precision: "exact",
    threads: 2,
    maxBatch: 0,
  },
  name: "untrained:0",
  trained: false,
  token: null,
  cpus: 1,
  gpus: 0,
  host: "127.0.0.1",
  port: PORT,
  proxies: "HeadOnly",
};
