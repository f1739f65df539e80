/** Whether a model is a network of texts or of pictures: by its name, or by the files of one's own. */
import { open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isRecord } from "../../base/files/json.ts";
import { textModelNames } from "./table.ts";

/** transformers' own have 1 or 2 kB. */
const MOST_BYTES = 1024 * 1024;

/** @param options of which `model` may be any name, and `weights` a folder, or a file beside whose config.json it lies. */
export async function namesTexts(options: {
  readonly model?: unknown;
  readonly weights?: unknown;
}): Promise<boolean> {
  const { model, weights } = options;
  if (textModelNames().some((name) => name === model)) return true;
  return typeof weights === "string" && (await isOfTexts(weights));
}

async function isOfTexts(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !(found.isDirectory() || path.endsWith(".safetensors"))) return false;
  const config = join(found.isDirectory() ? path : dirname(path), "config.json");
  try {
    const value: unknown = JSON.parse(await beginning(config));
    return isRecord(value) && value["model_type"] === "gpt2";
  } catch {
    return false; // whoever loads it says what is wrong with it
  }
}

async function beginning(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
