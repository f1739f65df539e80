/** Recorded answers of `probe --import` as findings of `doctor`. */
import { readFileSync } from "node:fs";
import { parseRecord } from "../../src/base/files/json.ts";
import type { Cache, Findings } from "../../src/doctor/findings.ts";
import type { Gpu } from "../../src/setup/conda/variant.ts";
import type { CatalogueEntry } from "../../src/checkpoints/list.ts";
import type { Environment } from "../../src/python/environment.ts";
import { parseExamination } from "../../src/python/examine.ts";

export const P2000: Gpu = { name: "Quadro P2000", capability: "6.1", driver: "472.39" };
export const CACHE: Cache = {
  directory: "/home/me/.cache/torch/hub/checkpoints",
  isWritable: true,
  free: 2 ** 40,
};
export const V1: CatalogueEntry = {
  name: "IMAGENET1K_V1",
  url: "https://x/y.pth",
  path: "/c/y.pth",
  bytes: 178_793_939,
  here: true,
};

/** @param recorded the name of the answer. */
export function findings(recorded: string, over: Partial<Findings> = {}): Findings {
  const file = new URL(`../fixtures/environments/probes/${recorded}.json`, import.meta.url);
  const answer = parseRecord(readFileSync(file, "utf8"));
  const prefix = textOr(answer["prefix"], "/opt/conda/envs/isotorch");
  const environment: Environment = {
    python: textOr(answer["executable"], "/opt/conda/envs/isotorch/bin/python"),
    prefix,
    kind: "conda",
    source: prefix,
    reason: `found by ${prefix}`,
    versions: { python: String(answer["python"]) },
    variables: {},
    complaint: null,
    recalled: false,
  };
  const contents = prefix.includes("conda")
    ? { python: "3.10.14", packages: new Map(), missing: [], torch: "1.12.1" }
    : undefined;
  return {
    platform: "linux",
    arch: "x64",
    device: "auto",
    weights: "IMAGENET1K_V1",
    candidates: [
      { python: environment.python, kind: "conda", source: prefix, contents, accepted: true, environment },
    ],
    environment,
    examination: parseExamination(answer),
    record: undefined,
    damagedRecord: undefined,
    registry: [],
    lost: undefined,
    halfMade: undefined,
    manager: { kind: "conda", file: "/opt/conda/bin/conda" },
    gpu: undefined,
    openmp: [],
    checkpoints: [V1],
    cache: CACHE,
    ...over,
  };
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}
