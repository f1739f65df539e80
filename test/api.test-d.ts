import { assertType, expectTypeOf, test } from "vitest";
import { IsotorchError, classify, createClassifier } from "../src/index.ts";
import type {
  Classification,
  Classifier,
  ClassifierInfo,
  DetailedResult,
  ImageInput,
  IsotorchErrorCode,
  RawPixels,
  RemoteClassifierInfo,
  RemoteInfo,
  Tensor,
  WorkerInfo,
} from "../src/index.ts";

declare const classifier: Classifier;

test("classify() answers a list of classes", () => {
  expectTypeOf(classify("dog.jpg")).resolves.toEqualTypeOf<Classification[]>();
  expectTypeOf(classify("dog.jpg", { topK: 3, threads: 2 })).resolves.toEqualTypeOf<Classification[]>();
  // @ts-expect-error: there is no option topk
  void classify("dog.jpg", { topk: 3 });
  // @ts-expect-error: nor a handoff by pickle
  void createClassifier({ handoff: "pickle" });
  void createClassifier({ device: ["cuda:0", "cuda:1"], precision: "fp16", batch: { maxSize: 32 } });
  // @ts-expect-error: nor a device that torch does not have
  void createClassifier({ device: ["gpu"] });
});

test("one picture answers a list, many answer a list of lists", () => {
  expectTypeOf(classifier.classify("dog.jpg")).resolves.toEqualTypeOf<Classification[]>();
  expectTypeOf(classifier.classify(["dog.jpg"])).resolves.toEqualTypeOf<Classification[][]>();
  expectTypeOf(classifier.classifySettled(["a"])).resolves.toEqualTypeOf<
    PromiseSettledResult<Classification[]>[]
  >();
  expectTypeOf(classifier.classifyDetailed("a")).resolves.toEqualTypeOf<DetailedResult>();
});

test("every kind of picture is an ImageInput", () => {
  assertType<ImageInput>("dog.jpg");
  assertType<ImageInput>(new URL("file:///dog.jpg"));
  assertType<ImageInput>(new Uint8Array(1));
  assertType<ImageInput>(new ArrayBuffer(1));
  assertType<ImageInput>(new Blob([]));
  assertType<ImageInput>(new Blob([]).stream());
  assertType<ImageInput>({ data: new Uint8Array(3), width: 1, height: 1, channels: 3 } satisfies RawPixels);
  assertType<ImageInput>({ data: new Float32Array(1), shape: [1] } satisfies Tensor);
  // @ts-expect-error: a number is none
  assertType<ImageInput>(7);
});

test("a classifier is disposable, its errors have a closed set of codes", () => {
  expectTypeOf(classifier).toExtend<AsyncDisposable>();
  expectTypeOf(new IsotorchError("CLOSED", "").code).toEqualTypeOf<IsotorchErrorCode>();
  // @ts-expect-error: there is no such code
  void new IsotorchError("OOPS", "");
});

test("info() is that of a worker here or of servers elsewhere, told apart by `environment`", () => {
  const info = classifier.info();
  expectTypeOf(info).toEqualTypeOf<ClassifierInfo>();
  expectTypeOf<ClassifierInfo>().toEqualTypeOf<WorkerInfo | RemoteClassifierInfo>();
  // @ts-expect-error: servers elsewhere have no process here
  void info.pid;
  // @ts-expect-error: nor a file of the weights
  void info.weights.path;
  // What a server may leave out is not read without a look.
  expectTypeOf(info.device).toEqualTypeOf<string | undefined>();
  expectTypeOf(info.threads).toEqualTypeOf<number | undefined>();
  expectTypeOf(info.weights.sha256).toEqualTypeOf<string | undefined>();
  expectTypeOf(info.weights.trained).toEqualTypeOf<boolean | null>();
  if (info.environment === "remote") {
    expectTypeOf(info).toEqualTypeOf<RemoteClassifierInfo>();
    expectTypeOf(info.remote).toEqualTypeOf<RemoteInfo>();
  } else {
    expectTypeOf(info).toEqualTypeOf<WorkerInfo>();
    expectTypeOf(info.pid).toEqualTypeOf<number>();
    expectTypeOf(info.device).toEqualTypeOf<string>();
    expectTypeOf(info.weights.path).toEqualTypeOf<string>();
  }
});
