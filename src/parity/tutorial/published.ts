/** The book's own five numbers, held against what this machine answers. */
import { shown } from "../../base/text/shown.ts";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../../classification/classifier.ts";
import type { Classification } from "../../classification/classifier.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { pathOf } from "../../base/text/names.ts";
import type { ClassifierOptions } from "../../classification/options.ts";
import { resolveCheckpoint } from "../../checkpoints/resolve.ts";

/** What was published, from `models/published.json`. */
export interface PublishedFigures {
  readonly source: string;
  readonly picture: { readonly name: string; readonly sha256: string };
  readonly tolerance: { readonly percentagePoints: number };
  /** Best first. */
  readonly top: readonly PublishedClass[];
}

interface PublishedClass {
  readonly index: number;
  readonly label: string;
  readonly percent: number;
}

/** One published class beside ours at the same rank. */
export interface PublishedRow {
  readonly published: PublishedClass;
  readonly ours: PublishedClass | undefined;
  readonly sameClass: boolean;
  /** Ours minus the published, percentage points. */
  readonly difference: number;
  readonly verdict: "exact" | "within tolerance" | "differs";
}

export interface PublishedComparison {
  readonly passed: boolean;
  /** Whether every percentage has the published bits. */
  readonly exact: boolean;
  readonly rows: readonly PublishedRow[];
}

const WEIGHTS = "IMAGENET1K_V1";
const TABLE = fileURLToPath(new URL("../../../models/published.json", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("../../../examples/images/", import.meta.url));

/** The published figures for the default weights. */
export async function publishedFigures(): Promise<PublishedFigures> {
  const table = JSON.parse(await readFile(TABLE, "utf8")) as {
    resnet101: Record<typeof WEIGHTS, PublishedFigures>;
  };
  return table.resnet101[WEIGHTS];
}

/** Classes and their order must be the published ones; a percentage may be off by the tolerance. */
export function comparePublished(
  top: readonly PublishedClass[],
  { top: published, tolerance }: PublishedFigures,
): PublishedComparison {
  const rows = published.map((expected, rank): PublishedRow => {
    const ours = top[rank];
    const sameClass = ours?.index === expected.index && ours.label === expected.label;
    const difference = (ours?.percent ?? Number.NaN) - expected.percent;
    const near = sameClass && Math.abs(difference) <= tolerance.percentagePoints;
    const verdict = sameClass && difference === 0 ? "exact" : near ? "within tolerance" : "differs";
    return { published: expected, ours, sameClass, difference, verdict };
  });
  return {
    passed: rows.every(({ verdict }) => verdict !== "differs"),
    exact: rows.every(({ verdict }) => verdict === "exact"),
    rows,
  };
}

/**
 * Classifies the book's picture with the book's weights. Nothing is downloaded.
 *
 * @param image where the picture is; without it the examples of this package are looked through.
 * @throws IsotorchError `WEIGHTS_NOT_FOUND` where the trained weights are not in the cache: then nothing was checked.
 * @throws IsotorchError `INPUT_NOT_FOUND` or `INVALID_INPUT` where there is no such picture, or it is another.
 */
export async function checkPublished(
  image: string | undefined,
  options: ClassifierOptions = {},
): Promise<PublishedComparison & { readonly figures: PublishedFigures }> {
  const figures = await publishedFigures();
  const classifierOptions: ClassifierOptions = { ...options, weights: WEIGHTS, offline: true };
  await present(classifierOptions);
  const picture = await pictureBytes(image, figures);
  await using classifier = await createClassifier(classifierOptions);
  const call = { topK: figures.top.length, ...(options.signal && { signal: options.signal }) };
  const top: Classification[] = await classifier.classify(picture, call);
  return { ...comparePublished(top, figures), figures };
}

async function present(options: ClassifierOptions): Promise<void> {
  const { transforms: _, ...known } = options;
  try {
    await resolveCheckpoint(WEIGHTS, known);
  } catch (cause) {
    if (!(cause instanceof IsotorchError) || cause.code !== "WEIGHTS_NOT_FOUND") throw cause;
    throw new IsotorchError(
      "WEIGHTS_NOT_FOUND",
      `The published figures cannot be checked here: the trained weights ${WEIGHTS} are not in the cache.`,
      {
        cause,
        hint: `\`isotorch models pull ${WEIGHTS}\` fetches them. Nothing was compared, nothing has passed.`,
      },
    );
  }
}

async function pictureBytes(
  image: string | undefined,
  { picture, source }: PublishedFigures,
): Promise<Uint8Array> {
  const path = image ?? join(EXAMPLES, picture.name);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(pathOf(path));
  } catch (cause) {
    const what =
      image === undefined ? `No picture was given, and ${picture.name} is not among the examples` : "";
    throw new IsotorchError(
      "INPUT_NOT_FOUND",
      `${what || `The picture cannot be read: ${messageOf(cause)}`}.`,
      {
        cause,
        hint: `Give the ${picture.name} of ${source}: isotorch tutorial --published ${picture.name}`,
      },
    );
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 === picture.sha256) return bytes;
  throw new IsotorchError(
    "INVALID_INPUT",
    `${shown(path)} is not the picture that the figures were published for.`,
    {
      hint: `The ${picture.name} of ${source} has the SHA-256 ${picture.sha256}.`,
    },
  );
}
