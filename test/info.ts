import { ofWorker } from "../src/classification/info.ts";
import type { Classifier } from "../src/classification/classifier.ts";
import type { WorkerInfo } from "../src/worker/info.ts";

/** What the classifier's worker of this machine says of itself. */
export function workerInfo(classifier: Pick<Classifier, "info">): WorkerInfo {
  return ofWorker(classifier.info(), "This test");
}
