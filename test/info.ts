import { ofWorker } from "../src/classification/info.ts";
import type { Classifier } from "../src/classification/classifier.ts";
import { specOf } from "../src/checkpoints/table.ts";
import { fakeInfo } from "../src/testing/info.ts";
import type { WorkerInfo } from "../src/classification/info.ts";

/** What the classifier's worker of this machine says of itself. */
export function workerInfo(classifier: Pick<Classifier, "info">): WorkerInfo {
  return ofWorker(classifier.info(), "This test");
}

/** What a classifier says that answers nothing: for functions that take what it says. */
export const SAID: WorkerInfo = fakeInfo({
  weights: "x",
  transforms: "IMAGENET1K_V1",
  spec: specOf("IMAGENET1K_V1"),
  source: "a test",
  model: undefined,
  classes: 1000,
  embedding: 0,
});
