/** Somebody else at a channel's endpoint: he has the path, and the secret or not. */
import { createHmac } from "node:crypto";
import { Dealer } from "zeromq";
import { Channel } from "../../src/worker/channel.ts";
import type { Invitation } from "../../src/worker/channel.ts";
import { encode } from "../../src/protocol/wire.ts";
import type { Message } from "../../src/protocol/wire.ts";

/** A channel with what came through it, and what did not. */
export interface Watched extends AsyncDisposable {
  readonly channel: Channel;
  readonly heard: Message[];
  readonly dropped: string[];
}

export async function openChannel(generation = 3): Promise<Watched> {
  const heard: Message[] = [];
  const dropped: string[] = [];
  const channel = await Channel.open(generation);
  channel.listen({
    onMessage: (message) => heard.push(message),
    onUnreadable: () => undefined,
    onOtherVersion: () => undefined,
    onDropped: (reason) => dropped.push(reason),
  });
  channel.hold();
  const dispose = (): Promise<void> => {
    channel.close();
    return Promise.resolve();
  };
  return { channel, heard, dropped, [Symbol.asyncDispose]: dispose };
}

export class Peer implements Disposable {
  readonly socket: Dealer;
  readonly #invitation: Invitation;

  constructor(invitation: Invitation, routingId?: string) {
    this.#invitation = invitation;
    this.socket = new Dealer({ linger: 0, ...(routingId !== undefined && { routingId }) });
    this.socket.connect(invitation.endpoint);
  }

  hello(
    secret: string = this.#invitation.secret,
    over: { readonly generation?: number; readonly pid?: number } = {},
  ): Promise<void> {
    const { generation = this.#invitation.generation, pid = 42 } = over;
    const proof = createHmac("sha256", Buffer.from(secret, "hex"))
      .update(`isotorch hello ${generation} 42`)
      .digest("hex");
    const fields = { package: "0", proof, pid, python: "3", executable: "python3" };
    return this.send({ type: "hello", id: 0, generation, fields, frames: [] });
  }

  pong(id: number, generation: number = this.#invitation.generation): Promise<void> {
    return this.send({ type: "pong", id, generation, fields: { residentKiB: null }, frames: [] });
  }

  send(message: Message): Promise<void> {
    return this.socket.send(encode(message));
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}
