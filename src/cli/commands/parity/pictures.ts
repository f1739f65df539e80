/** `isotorch parity PATH…`: pictures. */
import { shownName } from "../../../base/text/names.ts";
import { say } from "../../terminal/terminal.ts";
import { createClassifier } from "../../../classification/classifier.ts";
import { ofWorker } from "../../../classification/info.ts";
import { IsotorchError } from "../../../base/errors.ts";
import type { Handoff } from "../../../classification/options.ts";
import type { Tolerance } from "../../../parity/compare/closeness.ts";
import { GoldenReader } from "../../../parity/golden/read.ts";
import { GoldenWriter } from "../../../parity/golden/golden.ts";
import { createManifest, hashPictures, writeManifest } from "../../../parity/golden/manifest.ts";
import { findPictures } from "../../../parity/eval/pictures.ts";
import { PassedOver } from "../../../parity/eval/walk.ts";
import { sayPassed } from "../../terminal/notes.ts";
import { replay } from "../../../parity/golden/replay.ts";
import { condense } from "../../../parity/report/picture.ts";
import type { PictureReport } from "../../../parity/report/picture.ts";
import { forJson } from "../../../parity/report/json.ts";
import { summarise } from "../../../parity/report/summary.ts";
import type { ParityReport } from "../../../parity/report/summary.ts";
import { countsText, summaryText, verdictText } from "../../../parity/report/words.ts";
import { checkReportName, writeReport } from "../../../parity/report/write.ts";
import { ourSide, Parity } from "../../../parity/run.ts";
import type { Compared } from "../../../parity/run.ts";
import { PACKAGE_VERSION } from "../../../base/version.ts";
import { EXIT } from "../../exit.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { classifierOptions, imageOptions, oneOf } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { toleranceOf } from "./tolerance.ts";

/** Pictures that are shown in an HTML report though they are equal: a browser must still open it. */
const SHOWN_EQUAL = 50;

const HANDOFFS: readonly Handoff[] = ["tensor", "pixels", "encoded"];

/** Pictures one by one, and what is known when all are through. */
interface Source {
  readonly pictures: AsyncIterable<Compared>;
  readonly about: Pick<ParityReport, "source" | "ours" | "reference" | "weights">;
  readonly tolerance: Tolerance | undefined;
}

interface Output {
  readonly reports: readonly string[];
  readonly json: boolean;
}

/** @returns 0, or 1 when something diverged. */
export async function comparePictures(
  positionals: readonly string[],
  values: Values,
  signal?: AbortSignal,
): Promise<number> {
  const { load, save, handoff, ...rest } = values;
  const reports = [rest["report"] ?? []].flat().map(String);
  for (const path of reports) checkReportName(path);
  const tolerance = toleranceOf(rest);
  const options = { ...classifierOptions(rest), ...(signal && { signal }) };
  const output = { reports, json: rest["json"] === true };
  const handoffs = handoffsOf(handoff);
  const isLive = typeof load !== "string";
  refuseContradictions(isLive, positionals, { ...rest, save });

  if (!isLive) {
    const golden = await GoldenReader.open(load);
    const [kind = "tensor"] = handoffs;
    await using classifier =
      rest["network"] === true ? await createClassifier({ ...options, handoff: kind }) : undefined;
    const replayOptions = { handoff: kind, tolerance, ...(classifier && { classifier }) };
    const { reference, weights, pictures } = golden.list;
    const info = classifier && ofWorker(classifier.info(), "Parity");
    const about = { source: "replay" as const, ours: ourSide(info), reference, weights };
    const replayed = each(pictures, (picture) => replay(golden, picture, replayOptions), signal);
    return await report({ pictures: replayed, about, tolerance }, output);
  }

  const passed = new PassedOver();
  const paths = await findPictures(positionals, passed);
  sayPassed(passed);
  const writer = typeof save === "string" ? await GoldenWriter.open(save) : undefined;
  const against = typeof rest["against"] === "string" ? rest["against"] : "plain";
  const call = imageOptions(rest);
  const parityOptions = {
    classifier: options,
    against,
    handoffs,
    call,
    tolerance,
    ...(signal && { signal }),
  };
  await using parity = await Parity.start(parityOptions);
  STATUS.clear();
  const { ours, reference, weights } = parity;
  const about = { source: "live" as const, ours, reference, weights };
  const compared = each(
    paths,
    async (path) => {
      const result = await parity.compare(path);
      await writer?.add(result);
      return result;
    },
    signal,
  );
  const code = await report({ pictures: compared, about, tolerance }, output);
  await writer?.finish(reference, weights);
  if (typeof rest["manifest"] === "string") {
    const pictures = await hashPictures(
      paths.map((path) => ({ name: path, path })),
      signal,
    );
    await writeManifest(
      rest["manifest"],
      createManifest(parity.info, { handoff: handoffs[0] ?? "tensor", pictures }),
    );
  }
  return code;
}

async function* each<T>(
  items: readonly T[],
  compare: (item: T) => Promise<Compared>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Compared, void, undefined> {
  for (const item of items) {
    if (signal?.aborted)
      throw new IsotorchError("ABORTED", "The run was interrupted before its last picture.");
    yield await compare(item);
  }
}

async function report({ pictures, about, tolerance }: Source, { reports, json }: Output): Promise<number> {
  const hasImages = reports.some((path) => path.endsWith(".html"));
  const all: PictureReport[] = [];
  let seen = 0;
  for await (const compared of pictures) {
    const images = seen++ < SHOWN_EQUAL ? "all" : "diverged";
    const condensed = await condense(compared, { images: hasImages ? images : "none" });
    all.push(...condensed);
    for (const picture of condensed) say(json ? jsonLine(picture) : tableLine(picture));
  }
  const summary = summarise(all);
  const whole = { isotorch: PACKAGE_VERSION, ...about, tolerance: tolerance ?? null, summary, pictures: all };
  for (const path of reports) await writeReport(path, whole);
  say(json ? jsonLine({ summary, ...about }) : summaryLines(whole));
  return summary.passed ? EXIT.ok : EXIT.input;
}

function jsonLine(value: object): string {
  return `${JSON.stringify(value, forJson)}\n`;
}

function tableLine(picture: PictureReport): string {
  const { input, kind, handoff } = picture;
  return `${shownName(input)}  ${kind}  ${handoff}  ${verdictText(picture)}\n`;
}

function summaryLines({ summary, reference, source }: ParityReport): string {
  const { verdicts, kinds, handoffs, stages } = summary;
  const groups = { ...(Object.keys(kinds).length > 1 && kinds), ...handoffs };
  const lines = Object.entries(groups).map(([name, counts]) => `  ${name}: ${countsText(counts)}`);
  const skipped = Object.entries(stages).filter(([, { compared }]) => compared === 0);
  const missing = skipped.map(([stage]) => stage).join(", ");
  const wasCompared = verdicts.equal + verdicts.close + verdicts.diverged > 0;
  const said = missing === "" || !wasCompared ? "" : `not compared in any picture: ${missing}\n`;
  const whom = source === "live" ? reference.name : `golden files of ${reference.name}`;
  return `\n${lines.join("\n")}\n${said}${summaryText(summary)}; against ${whom}\n`;
}

function handoffsOf(handoff: unknown): Handoff[] {
  if (handoff === undefined) return ["tensor"];
  const known = oneOf("handoff", handoff, [...HANDOFFS, "all"]);
  return known === "all" ? [...HANDOFFS] : [known];
}

function refuseContradictions(
  isLive: boolean,
  paths: readonly string[],
  values: Readonly<Record<string, unknown>>,
): void {
  const refuse = (message: string): never => {
    throw new IsotorchError("INVALID_OPTION", message, { hint: "`isotorch parity --help` has examples" });
  };
  if (isLive && paths.length === 0) refuse("No picture was given.");
  if (isLive && values["network"] === true) refuse("--network belongs to --load.");
  if (isLive) return;
  if (paths.length > 0) refuse("--load compares the pictures that were saved, and takes no others.");
  if (values["save"] !== undefined) refuse("--save and --load exclude each other.");
  if (values["manifest"] !== undefined) refuse("--manifest belongs to a live run.");
  if (values["against"] !== undefined)
    refuse("--load compares with what was saved, and --against with a process.");
}
