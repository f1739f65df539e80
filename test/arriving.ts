import { readFileSync } from "node:fs";

/** A picture as a stream, which comes when it is told to. */
export function arriving(path: string): {
  readonly picture: ReadableStream<Uint8Array>;
  readonly arrive: () => void;
} {
  let arrive = (): void => undefined;
  const gate = new Promise<void>((resolve) => (arrive = resolve));
  const picture = new ReadableStream<Uint8Array>({
    async start(stream) {
      await gate;
      stream.enqueue(new Uint8Array(readFileSync(path)));
      stream.close();
    },
  });
  return { picture, arrive: () => arrive() };
}
