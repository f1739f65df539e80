/** Where each worker computes, and with how many threads. */

export interface Placement {
  readonly device: string;
  /** PyTorch's CPU threads; 0 = PyTorch's own choice. */
  readonly threads: number;
}

export interface PlacementOptions {
  readonly device: string | readonly string[];
  readonly workers?: number | undefined;
  readonly threads: number;
}

/** One thread takes a convolution that is ten times slower: better two workers share two cores. */
const LEAST_THREADS = 2;

/**
 * One placement per worker: the devices of a list in turns; `cuda`, and `auto` where it found CUDA, one GPU after the
 * other. Workers that share a CPU divide its cores between them, unless `threads` says otherwise.
 *
 * @param cpus cores that may be used.
 * @param chosen what `auto` became for the first worker, once that is known.
 */
export function placementsOf(
  { device, workers, threads }: PlacementOptions,
  cpus: number,
  chosen: string = "auto",
): readonly Placement[] {
  const devices = typeof device === "string" ? [device] : device;
  const count = Math.max(workers ?? 1, devices.length);
  const shared = count === 1 ? 0 : Math.max(LEAST_THREADS, Math.floor(cpus / count));
  return Array.from({ length: count }, (_, index) => ({
    device: deviceOf(devices[index % devices.length] ?? "auto", index, count, chosen),
    threads: threads === 0 ? shared : threads,
  }));
}

function deviceOf(device: string, index: number, count: number, chosen: string): string {
  const found = device === "auto" && index > 0 ? chosen : device;
  const everyGpu = found === "cuda" || (device === "auto" && found.startsWith("cuda"));
  return everyGpu && count > 1 ? `cuda:${index}` : found;
}
