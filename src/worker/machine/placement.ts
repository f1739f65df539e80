/** Where each worker computes, and with how many threads. */

export interface Placement {
  readonly device: string;
  /** PyTorch's CPU threads; 0 = the worker's own choice. */
  readonly threads: number;
}

export interface PlacementOptions {
  readonly device: string | readonly string[];
  readonly workers?: number | undefined;
  readonly threads: number;
}

/** What the machine and the environment say. */
export interface PlacementFacts {
  /** CPUs that may be used. */
  readonly cpus: number;
  /** The environment of the workers says with how many threads PyTorch computes: {@link saysThreads}. */
  readonly said?: boolean;
  /** What `auto` became for the first worker, once that is known. */
  readonly chosen?: string;
}

/** One thread takes a convolution that is ten times slower: better two workers share two cores. */
const LEAST_THREADS = 2;

/** PyTorch's own variables, twin of `VARIABLES` in `python/isotorch_worker/runtime/threads.py`. */
const VARIABLES = ["MKL_NUM_THREADS", "OMP_NUM_THREADS"];

/**
 * One placement per worker: the devices of a list in turns; `cuda`, and `auto` where it found CUDA, one GPU after the
 * other. Workers that share a CPU divide its cores between them, unless `threads` or the environment says otherwise.
 */
export function placementsOf(
  { device, workers, threads }: PlacementOptions,
  { cpus, said = false, chosen = "auto" }: PlacementFacts,
): readonly Placement[] {
  const devices = typeof device === "string" ? [device] : device;
  const count = Math.max(workers ?? 1, devices.length);
  const isLeft = count === 1 || said;
  const shared = isLeft ? 0 : Math.max(LEAST_THREADS, Math.floor(cpus / count));
  return Array.from({ length: count }, (_, index) => ({
    device: deviceOf(devices[index % devices.length] ?? "auto", index, count, chosen),
    threads: threads === 0 ? shared : threads,
  }));
}

/** Whether PyTorch takes its number of threads from this environment: a number above 0, whatever follows. */
export function saysThreads(environment: Readonly<Record<string, string | undefined>>): boolean {
  return VARIABLES.some((name) => Number(/^\s*\+?(\d+)/.exec(environment[name] ?? "")?.[1] ?? 0) > 0);
}

function deviceOf(device: string, index: number, count: number, chosen: string): string {
  const found = device === "auto" && index > 0 ? chosen : device;
  const everyGpu = found === "cuda" || (device === "auto" && found.startsWith("cuda"));
  return everyGpu && count > 1 ? `cuda:${index}` : found;
}
