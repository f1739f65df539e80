/** Asks before something is done. */
import { createInterface } from "node:readline/promises";

/** Whether the person at the terminal says yes; `otherwise` where there is no terminal to ask at. */
export async function confirm(question: string, otherwise: boolean, signal?: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return otherwise;
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await asking.question(`${question} [y/N] `, signal ? { signal } : {});
    return /^y(?:es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    asking.close();
  }
}
