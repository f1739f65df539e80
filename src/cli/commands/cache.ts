/** `isotorch cache [ls|verify|clear]` */
import { say } from "../terminal/terminal.ts";
import { excerpt, shown } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import { invalid } from "../../base/options/check.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import { type CacheEntry, listCache, removeEntry, verifyEntry } from "../../checkpoints/cache.ts";
import { confirm } from "../terminal/confirm.ts";
import { CACHE_COMMAND } from "../describe/environment.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { parseFlags } from "../flags/flags.ts";
import { basename } from "node:path";
import { knownModel } from "../../checkpoints/table.ts";
import { inColumns } from "../terminal/columns.ts";

const ACTIONS = ["ls", "verify", "clear"] as const;

/** @returns 0, or 1 for a damaged file or a refused removal. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(CACHE_COMMAND));
  const [asked = "ls", ...names] = positionals;
  const action = ACTIONS.find((known) => known === asked);
  if (!action) {
    const meant = didYouMean(asked, ACTIONS, (known) => `\`isotorch cache ${known}\``);
    throw invalid(
      `\`cache\` knows ls, verify and clear, not "${excerpt(asked)}".`,
      meant ?? "`isotorch cache --help` shows what they do.",
    );
  }
  const cacheDir = values["cache-dir"];
  const listing = await listCache(typeof cacheDir === "string" ? { cacheDir } : {});
  const json = values["json"] === true;
  const print = (value: object, lines: readonly string[]): void =>
    say(json ? `${JSON.stringify(value)}\n` : `${lines.join("\n")}\n`);
  const model = typeof values["model"] === "string" ? knownModel(values["model"]).name : undefined;
  const named = chosen(listing.entries, names, model);
  switch (action) {
    case "ls":
      print({ ...listing, entries: named }, [
        listing.directory,
        ...linesOf(named),
        `${named.length === 0 ? "  nothing of isotorch's" : `  ${mebibytes(total(named))} in all`}; ${listing.others} other files`,
      ]);
      return EXIT.ok;
    case "verify": {
      const verified: (CacheEntry & { verdict: string })[] = [];
      for (const entry of named) verified.push({ ...entry, verdict: await verifyEntry(entry, signal) });
      print(
        { directory: listing.directory, entries: verified },
        verified.length === 0
          ? ["Nothing to verify."]
          : linesOf(verified).map((line, place) => `${line}  ${verified[place]?.verdict}`),
      );
      return verified.some(({ verdict }) => verdict === "damaged") ? EXIT.input : EXIT.ok;
    }
    case "clear": {
      if (model === undefined) refuseSeveral(named, names);
      const isOnlyOurs = ({ kind }: CacheEntry): boolean => kind !== "checkpoint";
      const doomed = names.length > 0 || values["all"] === true ? named : named.filter(isOnlyOurs);
      if (doomed.length > 0) {
        say(`To be removed from ${listing.directory}:\n${linesOf(doomed).join("\n")}\n`, process.stderr);
        if (values["yes"] !== true && !(await confirm("Remove them?", false, signal))) {
          throw new IsotorchError("INVALID_OPTION", "Nothing was removed.", {
            hint: "Add --yes to remove without being asked",
          });
        }
      }
      for (const entry of doomed) await removeEntry(entry);
      print({ directory: listing.directory, removed: doomed, bytes: total(doomed) }, [
        doomed.length === 0
          ? "Nothing to remove."
          : `Removed ${doomed.length} files, ${mebibytes(total(doomed))}.`,
      ]);
      return EXIT.ok;
    }
  }
}

/** What is meant by the names of models, weights or files; all without any. */
function chosen(
  entries: readonly CacheEntry[],
  names: readonly string[],
  model: string | undefined,
): readonly CacheEntry[] {
  const ofModel = entries.filter((entry) => model === undefined || entry.model === model);
  for (const name of names) {
    if (ofModel.some((entry) => isCalled(entry, name))) continue;
    const known = [...new Set(ofModel.flatMap((entry) => [entry.model, entry.name]))];
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `The cache has no ${shown(name)}.`, {
      hint: known.length > 0 ? `It has ${known.join(", ")}` : "It has nothing of isotorch's",
    });
  }
  return names.length === 0
    ? ofModel
    : ofModel.filter((entry) => names.some((name) => isCalled(entry, name)));
}

function isCalled({ model, name, path }: CacheEntry, asked: string): boolean {
  return [model, name, basename(path)].includes(asked);
}

/** Weights are called alike in all models: what is not meant would be removed with what is. */
function refuseSeveral(entries: readonly CacheEntry[], names: readonly string[]): void {
  for (const name of names) {
    const models = [...new Set(entries.filter((entry) => entry.name === name).map(({ model }) => model))];
    if (models.length < 2) continue;
    throw new IsotorchError(
      "INVALID_OPTION",
      `The cache has ${shown(name)} of several models: ${models.join(", ")}.`,
      {
        hint: `Say which with --model, as in \`isotorch cache clear ${name} --model ${models[0]}\``,
      },
    );
  }
}

function linesOf(entries: readonly CacheEntry[]): string[] {
  const [, ...lines] = inColumns(entries, [
    { title: "", cell: ({ model }) => `  ${model}` },
    { title: "", cell: ({ name }) => name },
    { title: "", cell: ({ bytes }) => mebibytes(bytes), isNumber: true },
    { title: "", cell: ({ kind }) => kind },
    { title: "", cell: ({ integrity }) => integrity ?? "-" },
    { title: "", cell: ({ path }) => path },
  ]);
  return lines;
}

function total(entries: readonly CacheEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes, 0);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
