/** What `info()` says, whoever answers. */
import { IsotorchError } from "../base/errors.ts";
import type { RemoteClassifierInfo } from "../remote/info.ts";
import type { WorkerInfo } from "../worker/info.ts";

/** What runs: a worker of this machine, or servers elsewhere. `environment` is `remote` for the latter alone. */
export type ClassifierInfo = WorkerInfo | RemoteClassifierInfo;

/**
 * What a worker of this machine says of itself.
 *
 * @param who wants it, as the beginning of a sentence.
 * @throws IsotorchError `INVALID_OPTION` where servers answer.
 */
export function ofWorker(info: ClassifierInfo, who: string): WorkerInfo {
  if (info.environment !== "remote") return info;
  throw new IsotorchError(
    "INVALID_OPTION",
    `${who} needs a worker of this machine, and this classifier asks servers elsewhere.`,
    { hint: "Leave `remote` out." },
  );
}
