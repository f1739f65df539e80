import { assertType, expectTypeOf, test } from "vitest";
import { IsotorchError, classify, createClassifier } from "../src/index.ts";
import type {
  Classification,
  Classifier,
  DetailedResult,
  ImageInput,
  IsotorchErrorCode,
  RawPixels,
  Tensor,
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
