/** Progress of a download, with the field names of transformers.js, or of the worker's start. */
export interface ProgressEvent {
  readonly status: "initiate" | "download" | "progress" | "done" | "ready" | "worker";
  /** The weights' name, such as `IMAGENET1K_V1`, or the phase of the worker's start. */
  readonly name: string;
  /** The file's name in the cache. */
  readonly file?: string;
  /** 0 to 100, absent where the size is not known. */
  readonly progress?: number;
  /** Bytes. */
  readonly loaded?: number;
  readonly total?: number;
}
