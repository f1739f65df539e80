/** Whose names the classes have where nobody gave any. */
import { basename } from "node:path";
import { shown } from "../../base/text/shown.ts";
import type { ClassifierInfo } from "../info.ts";

/** Classes of ImageNet, whose names the worker gives to every head of so many. */
const IMAGENET = 1_000;

/**
 * What is to be known of the labels of a file of one's own that came without any; none where the weights by name, or a server,
 * have theirs.
 *
 * @param info of whoever answers; `weights.trained` is null for a file of one's own.
 */
export function unlabelled(info: Pick<ClassifierInfo, "environment" | "classes" | "weights">): string[] {
  const { environment, classes, weights } = info;
  if (environment === "remote" || weights.trained !== null || !("path" in weights)) return [];
  const range = classes === 1 ? "class 0" : `class 0 to class ${classes - 1}`;
  const names =
    classes === IMAGENET
      ? `its ${IMAGENET} classes are taken for ImageNet's`
      : `its classes are called ${range}`;
  return [
    `No labels came with ${shown(basename(weights.path))}: ${names}; \`labels\` (--labels) gives others.`,
  ];
}
