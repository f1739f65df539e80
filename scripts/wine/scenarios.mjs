// Scenarios that run inside Windows' Node: one line of JSON each, as it ends.
const LONGEST_MS = 600_000;

/** Runs a file of scenarios and reports each; one that never came to its end counts as failed. */
export async function runInside(windows, { inside, options }, report) {
  const began = Date.now();
  const { child, ended, stdout } = windows.start([`inside/${inside}`], options);
  const results = [];
  const reportNew = (text) => {
    const lines = text.split("\n").slice(0, -1);
    for (const line of lines.slice(results.length)) results.push(report(JSON.parse(line)));
  };
  const looking = setInterval(() => reportNew(stdout()), 500);
  const limit = setTimeout(() => child.kill("SIGKILL"), LONGEST_MS);
  const result = await ended;
  clearInterval(looking);
  clearTimeout(limit);
  reportNew(result.stdout);
  if (result.code === 0) return results;
  const seen = `ended with ${result.code}: ${result.stderr.trim().slice(-600)}`;
  return [...results, report({ name: inside, isWell: false, seen, ms: Date.now() - began })];
}
