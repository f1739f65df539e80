/** `untrained:SEED` as a file: a real checkpoint, made offline. */
import { abortError, IsotorchError } from "../base/errors.ts";
import { runCommand } from "../python/command.ts";
import type { Environment } from "../python/environment.ts";
import { lastWords } from "../base/status.ts";
import { printedRecord } from "../python/answer.ts";
import { DEFAULT_MODEL } from "./table.ts";
import { scriptArguments, WORKER_SCRIPT } from "../python/script.ts";

export interface MadeCheckpoint {
  readonly path: string;
  /** Lower-case hex, also in `path + ".sha256"`. */
  readonly sha256: string;
}

export interface MakeOptions {
  /** The network, as torchvision names it. @default "resnet101" */
  readonly model?: string;
  /** PyTorch's threads. @default 0, which means automatic */
  readonly threads?: number | undefined;
  /** Ends it; what it had begun is swept by the next one. */
  readonly signal?: AbortSignal;
}

/**
 * Makes the checkpoint of a seed with the environment's own PyTorch; takes some seconds.
 *
 * @throws IsotorchError `INVALID_OPTION` when the file cannot be written, `ENVIRONMENT_BROKEN` when Python fails,
 * `ABORTED`.
 */
export async function makeUntrained(
  { python, variables }: Environment,
  seed: number,
  path: string,
  { model = DEFAULT_MODEL, threads = 0, signal }: MakeOptions = {},
): Promise<MadeCheckpoint> {
  const words = ["make", "--seed", `${seed}`, "--out", path, "--threads", `${threads}`];
  if (model !== DEFAULT_MODEL) words.push("--model", model);
  const args = scriptArguments(WORKER_SCRIPT, ...words);
  const { code, bytes, stderr } = await runCommand(python, args, {
    env: { ...process.env, ...variables },
    ...(signal && { signal }),
  });
  if (signal?.aborted) throw abortError(signal);
  const printed = printedRecord(bytes);
  const sha256 = code === 0 ? printed.record?.["sha256"] : undefined;
  if (typeof sha256 === "string") return { path, sha256 };
  const broken = code === 0 && printed.record === undefined ? printed.broken : "";
  const said = broken || lastWords(stderr, code);
  const unwritable = code === 66;
  throw new IsotorchError(
    unwritable ? "INVALID_OPTION" : "ENVIRONMENT_BROKEN",
    `The checkpoint could not be made: ${said}.`,
    { hint: unwritable ? "Choose another --out FILE.pth." : "Run `npx isotorch doctor`.", stderr },
  );
}
