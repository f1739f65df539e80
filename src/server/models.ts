/** The networks of a server, each with what belongs to it alone, by the names that its addresses have for them. */
import type { Classifier } from "../classification/classifier.ts";
import { shownValue } from "../base/text/shown.ts";
import type { ClassifierInfo } from "../classification/info.ts";
import { Comparer } from "./compare/comparer.ts";
import { invalid } from "../base/options/check.ts";
import { VERSION } from "./oip/metadata.ts";
import { Statistics } from "./oip/statistics.ts";
import type { ResolvedServerOptions } from "./options.ts";
import { Pictures } from "./picture.ts";
import type { Pool } from "../image/pool.ts";
import type { TextGenerator } from "../generation/generator.ts";
import { HttpProblem } from "./problem.ts";

export interface ServedModel {
  /** In addresses. */
  readonly name: string;
  readonly classifier: Classifier;
  readonly pictures: Pictures;
  readonly comparer: Comparer | undefined;
  readonly statistics: Statistics;
}

export class Models {
  /** In the order in which they were given. */
  readonly all: readonly ServedModel[];
  readonly #generators: readonly TextGenerator[];

  constructor({ classifiers, generators, compare, limits }: ResolvedServerOptions, decoder: Pool) {
    const { pictureBytes: bytes, pixels, side, scans, chunks } = limits;
    this.all = Object.entries(classifiers).map(([name, classifier]) => {
      const pictures = new Pictures(classifier, decoder, { bytes, pixels, side, scans, chunks });
      const isCompared = compare ?? hasCheckpoint(classifier.info());
      const comparer = isCompared ? new Comparer(classifier, pictures) : undefined;
      return { name, classifier, pictures, comparer, statistics: new Statistics(name) };
    });
    this.#generators = Object.values(generators);
  }

  /** Where a request names none. @throws HttpProblem `NOT_FOUND` where the server has texts alone. */
  get first(): ServedModel {
    const [first] = this.all;
    if (first !== undefined) return first;
    throw new HttpProblem("NOT_FOUND", "This server classifies no pictures.", "Start it with a classifier.");
  }

  get isOne(): boolean {
    return this.all.length === 1;
  }

  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  /** Whether each of them is. */
  get isReady(): boolean {
    const answerers = [...this.all.map(({ classifier }) => classifier), ...this.#generators];
    return answerers.every((one) => one.health().ready);
  }

  find(name: unknown): ServedModel | undefined {
    return this.all.find((model) => model.name === name);
  }

  /** The model of an address below `/v2/models`. @throws HttpProblem `NOT_FOUND` for another one, or another version of it. */
  at({ model, version = VERSION }: Readonly<Record<string, string | undefined>>): ServedModel {
    const found = this.find(model);
    if (found !== undefined && version === VERSION) return found;
    const [what, hint] =
      found === undefined
        ? ["model", `There is ${this.names.join(", ")}, version ${VERSION}.`]
        : ["version of it", `There is ${found.name}, version ${VERSION}.`];
    throw new HttpProblem("NOT_FOUND", `There is no such ${what}.`, hint);
  }

  /** The model of a query; the first where it names none. @throws IsotorchError `INVALID_OPTION` for another one. */
  of({ model }: Readonly<Record<string, unknown>>): ServedModel {
    if (model === undefined) return this.first;
    const found = this.find(model);
    if (found !== undefined) return found;
    throw invalid(`There is no model ${shownValue(model, 40)}.`, `There is ${this.names.join(", ")}.`);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map(async ({ comparer }) => comparer?.close()));
  }
}

function hasCheckpoint(info: ClassifierInfo): boolean {
  return info.environment !== "remote" && info.weights.path !== "";
}
