import { fileURLToPath } from "node:url";

/** The worker's entry file; it runs as a plain script by its path, so that `-I` keeps everything else out. */
export const WORKER_SCRIPT: string = fileURLToPath(
  new URL("../../python/isotorch_worker/__main__.py", import.meta.url),
);
