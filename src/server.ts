/** For programs that serve pictures over HTTP: `isotorch serve` is a thin user of it. */
// oxlint-disable-next-line import/no-unassigned-import -- it looks at the host before what follows is loaded
import "./host.ts";
export { createServer } from "./server/server.ts";
export type { Server } from "./server/server.ts";
export type { DecoderOptions, LogLevel, ServerOptions } from "./server/options.ts";
