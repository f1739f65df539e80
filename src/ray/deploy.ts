/** Puts the network on Ray Serve, and takes it off again: the two commands of `python/isotorch_worker/ray/ray_app.py`. */
import { createInterface } from "node:readline";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../base/child.ts";
import { IsotorchError, abortError, messageOf } from "../base/errors.ts";
import { lastWords } from "../base/status.ts";
import { excerpt, shown } from "../base/text/shown.ts";
import { resolveClassifierOptions } from "../classification/resolved.ts";
import type { ClassifierOptions } from "../classification/options.ts";
import { resolveCheckpoint } from "../checkpoints/resolve.ts";
import { networkLoad } from "../classification/start.ts";
import { recordIn } from "../python/answer.ts";
import { runCommand } from "../python/command.ts";
import { UTF8_FOR_ALL } from "../python/script.ts";

/** One thread takes a convolution that is ten times slower. */
const LEAST_THREADS = 2;
const SCRIPT = fileURLToPath(new URL("../../python/isotorch_worker/ray/ray_app.py", import.meta.url));

export interface RayOptions {
  readonly python: string;
  /** Of a cluster that runs, as `ray.init` takes it; undefined starts one on this machine for as long as it is used. */
  readonly address: string | undefined;
  /** How many; or the least and the most, by the length of the queue. */
  readonly replicas: number | readonly [least: number, most: number];
  /** Shares of CPUs and GPUs that Ray reserves for each replica. */
  readonly cpus: number;
  readonly gpus: number;
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
}

export interface Deployed {
  /** The network's; of a file of one's own that says it itself, the file's. */
  readonly name: string;
  readonly url: string;
  /** Settles when the cluster of this machine has gone; at once where the cluster is another's. */
  readonly ended: Promise<void>;
}

/** @throws IsotorchError `WORKER_START_FAILED` with Ray's last lines, or what is wrong with the checkpoint. */
export async function deploy(
  ray: RayOptions,
  given: ClassifierOptions,
  signal: AbortSignal,
): Promise<Deployed> {
  const options = resolveClassifierOptions(given);
  const checkpoint = await resolveCheckpoint(options.weights, options);
  const load = {
    ...networkLoad(checkpoint, options),
    device: options.device,
    // Ray sets OMP_NUM_THREADS to what it reserves, 1 by itself, of which nobody said that it is meant for PyTorch.
    threads: options.threads === 0 ? Math.max(LEAST_THREADS, Math.ceil(ray.cpus)) : options.threads,
    maxBatch: 0,
  };
  const { python, address = null, token = null, replicas, cpus, gpus, host, port } = ray;
  const most = typeof replicas === "number" ? replicas : replicas[1];
  const settings = {
    load,
    name: checkpoint.weights,
    trained: checkpoint.trained,
    address,
    token,
    replicas,
    cpus,
    gpus,
    host,
    port,
    proxies: "HeadOnly",
    clusterCpus: Math.ceil(most * cpus),
  };
  const child = Child.start("pipes", python, [SCRIPT, "up"], { env: environment(), endsItself: true });
  // The token comes with the first line; the end of stdin takes everything down again.
  child.stdin.write(`${JSON.stringify(settings)}\n`);
  const finish = (): void => void child.stdin.end();
  signal.addEventListener("abort", finish, { once: true });
  let wrong = "";
  for await (const line of createInterface({ input: child.stdout.setEncoding("latin1") })) {
    const printed = recordIn(Buffer.from(line, "latin1"));
    const url = printed.record?.["url"];
    if (typeof url === "string")
      return { name: options.model ?? checkpoint.weights, url, ended: child.closed.then(() => undefined) };
    finish();
    wrong = printed.record ? "it told no address" : printed.broken;
    break;
  }
  const { code, error } = await child.closed;
  if (signal.aborted) throw abortError(signal);
  const stderr = `${child.words.text}${wrong}`;
  const why = error ? messageOf(error) : lastWords(stderr, code);
  throw new IsotorchError("WORKER_START_FAILED", `Ray Serve did not start: ${why}`, {
    stderr,
    hint: "`error.stderr` has Ray's last lines; check `address`, the port, and the memory of the machine.",
  });
}

/** Takes the application off a cluster that goes on. @throws IsotorchError `WORKER_ERROR`. */
export async function remove(python: string, address: string): Promise<void> {
  const { code, stderr } = await runCommand(python, [SCRIPT, "down", address], {
    env: environment(),
    timeoutMs: 120_000,
  });
  if (code === 0) return;
  const why = excerpt(lastWords(stderr, code));
  throw new IsotorchError(
    "WORKER_ERROR",
    `The application cannot be removed from ${shown(address)}: ${why}`,
    {
      hint: "Check the address; `ray status` says whether the cluster is there.",
    },
  );
}

function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYTHONPATH: dirname(dirname(dirname(SCRIPT))),
    RAY_USAGE_STATS_ENABLED: "0",
    ...UTF8_FOR_ALL,
  };
}
