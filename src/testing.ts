/** For the tests of applications: classifiers and generators that need neither Python nor a GPU. */
// oxlint-disable-next-line import/no-unassigned-import -- it looks at the host before what follows is loaded
import "./host.ts";
export { createFakeClassifier } from "./testing/fake.ts";
export type { FakeAnswer, FakeClass, FakeOptions } from "./testing/fake.ts";
export { recordCassette } from "./testing/record.ts";
export type { Cassette, CassetteEntry } from "./testing/cassette.ts";
export { createFakeGenerator } from "./testing/generator.ts";
export type { FakeCall, FakeGeneratorOptions, FakeText } from "./testing/generator.ts";
