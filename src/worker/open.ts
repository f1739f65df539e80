/** A worker's process and the channel to it, joined: the process learns of the channel by its first line of stdin. */
import { withResolvers } from "../base/async/resolvers.ts";
import { Channel } from "./channel.ts";
import { WorkerProcess } from "./process.ts";
import type { WorkerCommand } from "./process.ts";
import { Session } from "./session.ts";
import type { SessionOptions } from "./session.ts";

export interface WorkerStart extends SessionOptions {
  readonly command: Omit<WorkerCommand, "startLine">;
  /** Which start of a worker it is. */
  readonly generation: number;
}

/**
 * Spawns a worker and loads the network, where there is one to load.
 *
 * @throws IsotorchError as `Session.start`. Nothing is left behind.
 */
export async function startWorker({ command, generation, ...options }: WorkerStart): Promise<Session> {
  // Python starts while the socket is opened; it learns of it as soon as there is one.
  const invitation = withResolvers<string>();
  const process = new WorkerProcess({ ...command, startLine: invitation.promise });
  const channel = await Channel.open(generation).catch(async (error: unknown) => {
    process.kill();
    await process.exited;
    throw error;
  });
  invitation.resolve(JSON.stringify(channel.invitation));
  return Session.start(process, channel, options);
}
