import { expectTypeOf, test } from "vitest";
import type { Classifier } from "../src/index.ts";
import { createFakeClassifier, recordCassette } from "../src/testing.ts";
import type { Cassette } from "../src/testing.ts";

declare const classifier: Classifier;
declare const cassette: Cassette;

test("a fake is a Classifier, made of a function or a cassette", () => {
  expectTypeOf(createFakeClassifier(() => [{ index: 1, score: 1 }])).resolves.toEqualTypeOf<Classifier>();
  expectTypeOf(createFakeClassifier(cassette)).resolves.toEqualTypeOf<Classifier>();
  expectTypeOf(createFakeClassifier(new URL("file:///answers.json"))).resolves.toEqualTypeOf<Classifier>();
  void createFakeClassifier((image) => classifier.classify(image));
  void createFakeClassifier((image, options) => classifier.classifyDetailed(image, options));
  // @ts-expect-error: an answer has indices and scores
  void createFakeClassifier(() => ["golden retriever"]);
  // @ts-expect-error: there is no option delay
  void createFakeClassifier(() => [], { delay: 5 });
});

test("a recorded classifier is a Classifier", () => {
  expectTypeOf(recordCassette(classifier, "answers.json")).toEqualTypeOf<Classifier>();
});
