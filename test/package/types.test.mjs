/**
 * The published types, as strict as can be, beside every @types/node that the registry has for a Node from 20 on; and that
 * the package installs where npm refuses what asks for a newer Node. Needs the npm registry.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

/** The whole surface: every name that is exported, and the members that people call. */
const PROGRAM = `import * as all from "isotorch";
import * as testing from "isotorch/testing";
import * as server from "isotorch/server";
import { classify, createClassifier, preprocess, IsotorchError, ERROR_CODES } from "isotorch";
import type { Classification, Classifier, ClassifierOptions, ClassifyOptions, ImageInput, Tensor } from "isotorch";
import { createFakeClassifier } from "isotorch/testing";
import { createServer } from "isotorch/server";
import * as tokens from "isotorch/tokenizer";
import { Tokenizer } from "isotorch/tokenizer";
import type { Piece, TokenMerge, TrainOptions } from "isotorch/tokenizer";

const training: TrainOptions = { vocabSize: 300, onMerge: ({ pair, count }: TokenMerge) => void [pair, count] };
export async function tokenized(text: string): Promise<string> {
  const tokenizer: Tokenizer = Tokenizer.train([text], training);
  const pieces: Piece[] = tokenizer.pieces(text, { allowedSpecial: "all" });
  await tokenizer.save("vocabulary");
  // @ts-expect-error an unknown option is seen by the compiler
  Tokenizer.train([text], { size: 300 });
  return tokenizer.decode(pieces.map(({ id }) => id)) + tokenizer.decoder().end();
}
const options: ClassifierOptions = { weights: "untrained:0", signal: new AbortController().signal };
const call: ClassifyOptions = { topK: 1, timeoutMs: 1_000 };
export async function used(image: ImageInput): Promise<Classification[]> {
  await using classifier: Classifier = await createClassifier(options);
  const stop: () => void = classifier.on("state", () => undefined);
  for await (const result of classifier.classifyStream([image], call)) void result.status;
  const tensor: Tensor = await preprocess(image);
  const { top } = await classifier.classifyDetailed(tensor, { include: { logits: true } });
  void [classifier.info(), classifier.health(), classifier.stats(), await classifier.models(), top, stop];
  await using served = await createServer({ classifier, port: 0 });
  void served.url;
  await classifier.reload(options);
  const fake: Classifier = await createFakeClassifier(() => [{ index: 207, score: 0.96 }]);
  await fake.close();
  // @ts-expect-error an unknown option is seen by the compiler
  void createClassifier({ weight: "untrained:0" });
  return classify(image, call);
}
export const names: readonly string[] = [...Object.keys(all), ...Object.keys(testing), ...Object.keys(server), ...Object.keys(tokens)];
export const errors = [IsotorchError, ERROR_CODES] as const;
`;

let project;
before(() => {
  project = mkdtempSync(join(tmpdir(), "isotorch types test "));
  const [packed] = JSON.parse(
    run(ROOT, "npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project]),
  );
  const program = { name: "program", version: "1.0.0", type: "module", private: true };
  writeFileSync(join(project, "package.json"), JSON.stringify(program));
  // Where npm refuses what asks for a newer Node than the one here.
  run(project, "npm", [
    "install",
    "--engine-strict",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    join(project, packed.filename),
  ]);
  writeFileSync(join(project, "program.ts"), PROGRAM);
});
after(() => {
  rmSync(project, { recursive: true, force: true });
});

/** What the command printed. @throws where it failed. */
function run(cwd, file, args) {
  const isWindows = process.platform === "win32";
  const [command, ...words] = isWindows ? [file, ...args].map((word) => `"${word}"`) : [file, ...args];
  const { status, stdout, stderr } = spawnSync(command, words, { cwd, encoding: "utf8", shell: isWindows });
  assert.equal(status, 0, `${file} ${args.join(" ")}\n${stdout}\n${stderr}`);
  return stdout;
}

const MAJORS = [20, 22, 24, 25, 26];

for (const major of MAJORS) {
  void test(`beside @types/node ${major}, by nodenext and by bundler`, () => {
    run(project, "npm", [
      "install",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--no-save",
      `@types/node@${major}`,
    ]);
    for (const [module, moduleResolution] of [
      ["nodenext", "nodenext"],
      ["esnext", "bundler"],
    ]) {
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        target: "es2023",
        lib: ["es2023", "esnext.disposable"],
        types: ["node"],
        module,
        moduleResolution,
      };
      writeFileSync(
        join(project, "tsconfig.json"),
        JSON.stringify({ compilerOptions, include: ["program.ts"] }),
      );
      run(project, process.execPath, [TSC, "-p", project]);
    }
  });
}
