/** What a network is called in the addresses of a server. */
import { shown } from "../base/text/shown.ts";
import { invalid } from "../base/options/check.ts";
import { DEFAULT_MODEL, modelNames } from "../checkpoints/table.ts";
import type { ClassifierInfo } from "../classification/info.ts";

/** The name of the one classifier of a server: that of its network; of one that says none of torchvision's, as a fake one, resnet101. */
export function nameOf(info: ClassifierInfo): string {
  const name = info.model ?? (info.environment === "remote" ? info.remote.model : undefined);
  return name !== undefined && modelNames().includes(name) ? name : DEFAULT_MODEL;
}

/** Names that an address can have as they are; `stats` is one below `/v2/models` already. */
export function checkName(name: string): void {
  if (/^[\w.-]{1,100}$/.test(name) && name !== "stats" && !/^\.+$/.test(name)) return;
  throw invalid(
    `A model cannot be served as ${shown(name)}.`,
    "Name it with letters, digits, dots, dashes and underscores, and not `stats`.",
  );
}
