/** Imported before everything else by what other programs import: native libraries are loaded only in Node.js. */
import { requireNode } from "./base/host.ts";

requireNode();
