/** For the tests of applications: classifiers that need neither Python nor a GPU. */
export { createFakeClassifier } from "./testing/fake.ts";
export type { FakeAnswer, FakeClass, FakeOptions } from "./testing/fake.ts";
export { recordCassette } from "./testing/record.ts";
export type { Cassette, CassetteEntry } from "./testing/cassette.ts";
