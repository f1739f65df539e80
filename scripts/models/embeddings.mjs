// One network's embeddings by `isotorch embed` beside a hook on the head in torchvision alone.
import { isotorch } from "./command.mjs";
import { plainAnswers, sha256 } from "./plain.mjs";

/**
 * @param model torchvision's name.
 * @param options `python`, `threads`, `cache` (a folder for its weights), `seconds` that it may take.
 * @returns `answers` that were compared, `values` of each, and `differing` ones, by name.
 */
export async function embeddings(model, { python, threads, cache, seconds }) {
  const signal = AbortSignal.timeout(seconds * 1000);
  const { file, images, answers } = await plainAnswers(model, { python, threads, cache, signal, most: 2 });
  const flags = ["--weights", file, "--python", python, "--threads", String(threads), "--device", "cpu"];
  const { code, stdout, stderr } = await isotorch(["embed", ...images, "--json", "--timeout", "0", ...flags], signal);
  if (code !== 0) throw new Error(stderr || `isotorch embed ended with ${code}`);
  const found = stdout
    .trim()
    .split("\n")
    .map((line) => Float32Array.from(JSON.parse(line).embedding));
  const differing = answers.flatMap(({ embedding }, at) =>
    found[at] !== undefined && sha256(found[at]) === embedding ? [] : [`the embedding of picture ${at}`],
  );
  return { answers: answers.length, values: found[0].length, differing };
}
