/** Where checkpoints are downloaded from, instead of torchvision's servers. */
import { IsotorchError } from "../base/errors.ts";
import { shown, shownValue } from "../base/text/shown.ts";
import { withoutEnd } from "../base/text/trim.ts";
import { HUB } from "./download.ts";

/**
 * The same file at the mirror that the option or `ISOTORCH_WEIGHTS_URL` names, where either does.
 *
 * @throws IsotorchError `INVALID_OPTION` for one that is no http URL.
 */
export function mirrored(url: string, file: string, mirror: string | undefined): string {
  const base = mirror ?? process.env["ISOTORCH_WEIGHTS_URL"];
  if (!base) return url;
  const whole = `${withoutEnd(base, "/")}/${file}`;
  if (isHttp(whole)) return byHubMirror(whole);
  const name = mirror === undefined ? "ISOTORCH_WEIGHTS_URL" : "`mirror`";
  throw new IsotorchError("INVALID_OPTION", `${shown(name)} is ${shownValue(base)}, expected an http URL.`, {
    hint: "As in https://mirror.example/models, below which the file has torchvision's name",
  });
}

/**
 * An address of the Hugging Face hub at the mirror of it that `HF_ENDPOINT` names, as its own tools take it.
 *
 * @throws IsotorchError `INVALID_OPTION` for one that is no http URL.
 */
export function byHubMirror(url: string): string {
  const endpoint = process.env["HF_ENDPOINT"];
  const { hostname, pathname, search } = new URL(url);
  if (!endpoint || hostname !== HUB) return url;
  const whole = `${withoutEnd(endpoint, "/")}${pathname}${search}`;
  if (isHttp(whole)) return whole;
  throw new IsotorchError("INVALID_OPTION", `HF_ENDPOINT is ${shownValue(endpoint)}, expected an http URL.`, {
    hint: "As in HF_ENDPOINT=https://hf-mirror.com",
  });
}

function isHttp(address: string): boolean {
  return URL.canParse(address) && /^https?:/.test(address);
}
