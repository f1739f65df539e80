/** The protocol as data: `messages.json`, which both languages read. What it says is told in docs/protocol.md. */
import { readFileSync } from "node:fs";
import type { Dtype, MessageType } from "./messages.ts";

/** What a value may be; one of these. */
export type Kind =
  | { readonly integer: readonly [least: number, most: number] }
  | { readonly number: readonly [least: number | null, most: number | null] }
  | { readonly bool: true }
  | { readonly text: { readonly bytes: number; readonly pattern?: string } }
  | { readonly oneOf: readonly string[] | "codes" }
  | {
      readonly listOf: string;
      readonly items: readonly [least: number, most: number];
      readonly distinct?: boolean;
    }
  | { readonly pairOf: string }
  | { readonly either: readonly [first: string, second: string] }
  | { readonly mapOf: string }
  | { readonly record: Readonly<Record<string, string>> };

export interface Field {
  /** The name of a kind; with `?` behind it the value may be nil too. */
  readonly kind: string;
  readonly says?: string;
}

export interface MessageEntry {
  readonly from: "controller" | "worker";
  readonly says: string;
  /** Whether it is answered: by `ready`, `result` or `error`. */
  readonly isRequest?: boolean;
  /** In the order in which they are written. */
  readonly fields: Readonly<Record<string, Field>>;
  /** The frames that it may have, each a list in order; or the name of the field that names its one frame. @default [[]] */
  readonly frames?: readonly (readonly string[])[] | string;
}

export interface FrameEntry {
  readonly dtype: Dtype;
  /** A letter stands for one size from 1 throughout the message, `*` for any size. */
  readonly shape: readonly (number | string)[];
  readonly says?: string;
}

export interface ProtocolTable {
  readonly version: number;
  readonly limits: Readonly<
    Record<
      "headerBytes" | "frames" | "frameBytes" | "dimensions" | "depth" | "listItems" | "mapItems",
      number
    >
  >;
  readonly kinds: Readonly<Record<string, Kind>>;
  /** Bytes per element. */
  readonly dtypes: Readonly<Record<Dtype, number>>;
  readonly frames: Readonly<Record<string, FrameEntry>>;
  readonly messages: Readonly<Record<MessageType, MessageEntry>>;
  /** Every error code, by what it is about. */
  readonly codes: Readonly<Record<string, readonly string[]>>;
  readonly exitStatuses: Readonly<Record<string, { readonly status: number; readonly says: string }>>;
}

export const TABLE: ProtocolTable = JSON.parse(
  readFileSync(new URL("../../python/isotorch_worker/protocol/messages.json", import.meta.url), "utf8"),
) as ProtocolTable;
