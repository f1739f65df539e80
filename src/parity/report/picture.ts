/** What a report keeps of one picture by one handoff: figures and small images, no arrays. */
import { createHash } from "node:crypto";
import type { Handoff } from "../../classification/options.ts";
import type { Ladder } from "../ladder.ts";
import type { Attempt, Compared } from "../run.ts";
import type { OurTrace, Refusal, Traced } from "../stages.ts";
import { imagesOf } from "./images.ts";
import type { Images } from "./images.ts";

export interface PictureReport extends Ladder {
  readonly input: string;
  readonly kind: string;
  readonly sha256: string;
  readonly handoff: Handoff;
  /** The five best classes of each side, where a network ran. */
  readonly top?: { readonly ours: readonly Guess[]; readonly reference: readonly Guess[] };
  readonly images?: Images;
}

export interface Guess {
  readonly index: number;
  readonly label: string;
  readonly percent: number;
}

export interface CondenseOptions {
  /**
   * Whose picture, crop and difference image to keep, for HTML. `all` keeps them once for handoffs that are equal.
   * @default "none"
   */
  readonly images?: "all" | "diverged" | "none";
}

/** One report per handoff. */
export async function condense(
  compared: Compared,
  { images = "none" }: CondenseOptions = {},
): Promise<PictureReport[]> {
  const { input, kind, bytes, reference } = compared;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const reports = compared.attempts.map(async (attempt, at) => {
    const diverged = attempt.ladder.firstDivergence !== null;
    const isShown = images !== "none" && (diverged || (images === "all" && at === 0));
    const top = topOf(attempt, reference);
    return {
      input,
      kind,
      sha256,
      handoff: attempt.handoff,
      ...attempt.ladder,
      ...(top && { top }),
      ...(isShown && { images: await imagesOf(attempt, reference) }),
    };
  });
  return Promise.all(reports);
}

function topOf({ ours }: Attempt, reference: Traced | Refusal): PictureReport["top"] | undefined {
  if (ours.kind === "refused" || reference.kind === "refused") return undefined;
  const [mine, theirs] = [guessesOf(ours), guessesOf(reference)];
  return mine && theirs && { ours: mine, reference: theirs };
}

function guessesOf({ arrays, labels }: OurTrace | Traced): Guess[] | undefined {
  const { order, percentages } = arrays;
  if (!order || !percentages) return undefined;
  return Array.from(order.data.slice(0, 5), (index) => ({
    index,
    label: labels?.[index] ?? "",
    percent: percentages.data[index] ?? Number.NaN,
  }));
}
