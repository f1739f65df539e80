/** What a script may do once, alone, and has to end by itself after: a case for each member of the API. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type * as main from "../../src/index.ts";
import type * as server from "../../src/server.ts";
import type * as testing from "../../src/testing.ts";
import type * as tokenizer from "../../src/tokenizer.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
export const IMAGE: string = JSON.stringify(`${EXAMPLES}${readdirSync(EXAMPLES).toSorted()[0] ?? ""}`);
/** The name under which a script finds the options of its classifier. */
export const OPTIONS = "OPTIONS";

const TENSOR = "{ data: new Float32Array(3 * 224 * 224), shape: [1, 3, 224, 224] }";
const NOT_AWAITED = `void classifier.classify(${IMAGE}).then(() => console.log("answered at", Date.now()));`;
const FAKE = "createFakeClassifier(() => [{ index: 207, score: 0.5 }])";

/** A generator with the same worker as the classifier of these options. */
const GENERATOR = `{ python: ${OPTIONS}.python, threads: 2, model: "gpt2", weights: "untrained:0" }`;

type Cases = Readonly<Record<string, string>>;

/** Bodies of scripts that have made a `classifier`. A member without a case does not compile. */
export const MEMBERS: Readonly<Record<keyof main.Classifier, Cases>> = {
  classify: {
    "classify(file)": `await classifier.classify(${IMAGE});`,
    "classify(tensor)": `await classifier.classify(${TENSOR});`,
    "classify(list)": `await classifier.classify([${IMAGE}, ${TENSOR}]);`,
    "classify(stream)": `await classifier.classify(createReadStream(${IMAGE}));`,
    "classify(), not awaited": NOT_AWAITED,
    "classify() of what is not there": 'await classifier.classify("missing.jpg").catch(() => undefined);',
    "classify() with options that are refused":
      "await classifier.classify(new Uint8Array(), { topK: -1 }).catch(() => undefined);",
    "classify() of a tensor that is refused":
      "await classifier.classify({ data: new Float32Array(3), shape: [1, 3, 1, 1] }).catch(() => undefined);",
    "classify(), aborted before": `await classifier.classify(${IMAGE}, { signal: AbortSignal.abort() }).catch(() => undefined);`,
    "classify(), aborted meanwhile": `const abort = new AbortController();
      const call = classifier.classify(${IMAGE}, { signal: abort.signal }).catch(() => undefined);
      abort.abort();
      await call;`,
    "classify() of a stream that never comes": `await classifier.classify(new ReadableStream(), { timeoutMs: 100 }).catch(() => undefined);`,
  },
  classifySettled: {
    "classifySettled()": `await classifier.classifySettled([${IMAGE}, "missing.jpg"]);`,
  },
  classifyDetailed: {
    "classifyDetailed()": `await classifier.classifyDetailed(${IMAGE}, { include: { tensor: true, timings: true } });`,
  },
  classifyStream: {
    "classifyStream()": `for await (const _ of classifier.classifyStream([${IMAGE}, "missing.jpg"]));`,
    "classifyStream(), left": `for await (const _ of classifier.classifyStream([${IMAGE}, ${IMAGE}])) break;`,
    "classifyStream(), never read": `classifier.classifyStream([${IMAGE}]);`,
  },
  embed: {
    "embed()": `await classifier.embed(${IMAGE});`,
    "embed(list)": `await classifier.embed([${IMAGE}]);`,
  },
  preprocess: {
    "preprocess()": `await classifier.preprocess(${IMAGE});`,
    "preprocess() of what is not there": 'await classifier.preprocess("missing.jpg").catch(() => undefined);',
  },
  models: { "models()": "await classifier.models();" },
  info: { "info()": "classifier.info();" },
  health: { "health()": "classifier.health();" },
  stats: { "stats()": "classifier.stats();" },
  on: {
    "on()": 'classifier.on("state", () => undefined);',
    "on(), and its end": 'classifier.on("state", () => undefined)();',
  },
  reload: {
    "reload()": "await classifier.reload({});",
    "reload() that fails": 'await classifier.reload({ weights: "/nowhere.pth" }).catch(() => undefined);',
  },
  close: {
    "close()": "await classifier.close();",
    "close(), not awaited": "void classifier.close();",
    "close({ drainMs: Infinity })": "await classifier.close({ drainMs: Infinity });",
  },
  [Symbol.asyncDispose]: {
    asyncDispose: "await classifier[Symbol.asyncDispose]();",
    "asyncDispose, right after a call": `${NOT_AWAITED}
      await classifier[Symbol.asyncDispose]();`,
  },
};

/** Bodies of scripts for whatever the package exports that is not a type. */
export const EXPORTS: Readonly<
  Record<keyof typeof main | keyof typeof server | keyof typeof testing | keyof typeof tokenizer, Cases>
> = {
  createClassifier: {
    "createClassifier(), and nothing more": `await createClassifier(${OPTIONS});`,
    "createClassifier() that fails": `await createClassifier({ ...${OPTIONS}, weights: "/nowhere.pth" }).catch(() => undefined);`,
    "createClassifier() without its Python": `await createClassifier({ ...${OPTIONS}, python: "/nowhere/python" }).catch(() => undefined);`,
    "createClassifier(), aborted": `await createClassifier({ ...${OPTIONS}, signal: AbortSignal.timeout(50) }).catch(() => undefined);`,
    "createClassifier() with a remote that nobody answers": `await createClassifier({ remote: "http://127.0.0.1:9", signal: AbortSignal.timeout(2_000) }).catch(() => undefined);`,
  },
  createGenerator: {
    "createGenerator(), and nothing more": `await createGenerator(${GENERATOR});`,
    "createGenerator() that fails": `await createGenerator({ ...${GENERATOR}, weights: "./nowhere" }).catch(() => undefined);`,
    "generate()": `await (await createGenerator(${GENERATOR})).generate("The dog", { maxTokens: 2 });`,
    "stream(), left": `for await (const _ of (await createGenerator(${GENERATOR})).stream("The dog")) break;`,
    "stream(), never read on": `await (await createGenerator(${GENERATOR})).stream("The dog").next();`,
    "stream(), then close()": `const generator = await createGenerator(${GENERATOR});
      await generator.stream("The dog").next();
      await generator.close({ drainMs: 10 });`,
  },
  classify: {
    "the function classify()": `await classify(${IMAGE}, ${OPTIONS});`,
    "the function classify() of what is not there": `await classify("missing.jpg", ${OPTIONS}).catch(() => undefined);`,
  },
  preprocess: {
    "the function preprocess()": `await preprocess(${IMAGE}, { python: ${OPTIONS}.python });`,
    "the function preprocess() of what is not there": `await preprocess("missing.jpg", { python: ${OPTIONS}.python }).catch(() => undefined);`,
  },
  IsotorchError: { IsotorchError: 'new IsotorchError("CLOSED", "Mine.");' },
  ERROR_CODES: { ERROR_CODES: "ERROR_CODES.length;" },
  Tokenizer: {
    "Tokenizer.gpt2()": 'Tokenizer.gpt2().encode("The dog");',
    "Tokenizer.load() of what is not there": 'await Tokenizer.load("/nowhere").catch(() => undefined);',
  },
  createServer: {
    "createServer(), closed": `const listening = await createServer({ classifier: await ${FAKE}, port: 0 });
      await fetch(listening.url + "/v2/health/live").then((answer) => answer.text());
      await listening.close();`,
    "createServer() that is refused": `await createServer({ classifier: await ${FAKE}, port: -1 }).catch(() => undefined);`,
  },
  createFakeClassifier: {
    "createFakeClassifier()": `const fake = await ${FAKE};
      await fake.classify(${IMAGE});`,
    "createFakeClassifier(), and nothing more": `await ${FAKE};`,
  },
  createFakeGenerator: {
    "createFakeGenerator()": `const fake = await createFakeGenerator(() => " was here", { latencyMs: 5 });
      for await (const _ of fake.stream("The dog")) break;`,
  },
  recordCassette: {
    "recordCassette()": `const fake = await ${FAKE};
      await recordCassette(fake, process.env.CASSETTE).classify(${IMAGE});`,
  },
};
