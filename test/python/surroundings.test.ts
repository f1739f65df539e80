/** Where things are, beside what Python says: its `expanduser`, in torch.hub's rule, for both kinds of systems. */
import { spawnSync } from "node:child_process";
import { posix, win32 } from "node:path";
import { expect, test } from "vitest";
import { checkpointDirectory, surroundings } from "../../src/python/surroundings.ts";
import { PYTHON } from "../python.ts";

// The lines of torch.hub, by the path rules of a system that need not be this one.
const SCRIPT = `
import json, ntpath, os, posixpath, sys
answers = []
for platform, variables in json.load(sys.stdin):
    rules = ntpath if platform == "win32" else posixpath
    os.environ.clear()
    os.environ.update(variables)
    caches = os.getenv("XDG_CACHE_HOME", "~/.cache")
    torch_home = rules.expanduser(os.getenv("TORCH_HOME", rules.join(caches, "torch")))
    answers.append(rules.normpath(rules.join(torch_home, "hub", "checkpoints")))
print(json.dumps(answers))
`;
const profile = String.raw`C:\Users\张三`;
const CASES: readonly (readonly ["win32" | "linux", Record<string, string>])[] = [
  ["win32", { USERPROFILE: profile }],
  // As Git Bash and many an IDE set it.
  ["win32", { USERPROFILE: profile, HOME: "/c/Users/me" }],
  ["win32", { USERPROFILE: profile, HOME: String.raw`D:\elsewhere` }],
  ["win32", { HOMEDRIVE: "D:", HOMEPATH: String.raw`\me`, HOME: "/c/Users/me" }],
  ["win32", { USERPROFILE: profile, XDG_CACHE_HOME: String.raw`D:\caches` }],
  ["win32", { USERPROFILE: profile, TORCH_HOME: String.raw`~\models` }],
  ["win32", { USERPROFILE: profile, TORCH_HOME: "~/models" }],
  ["linux", { HOME: "/home/me" }],
  ["linux", { HOME: "/home/me", USERPROFILE: profile }],
  ["linux", { HOME: "/home/$& me" }],
  ["linux", { HOME: "/home/me", XDG_CACHE_HOME: "~/caches" }],
  ["linux", { HOME: "/home/me", XDG_CACHE_HOME: "/caches" }],
  ["linux", { HOME: "/home/me", TORCH_HOME: "~" }],
  ["linux", { HOME: "/home/me", TORCH_HOME: "/models", XDG_CACHE_HOME: "/caches" }],
  ["linux", { HOME: "/home/me", TORCH_HOME: "~\\models" }],
];

test("downloaded checkpoints are where torch.hub looks for them, on Windows too where a shell sets HOME", () => {
  const asked = spawnSync(PYTHON, ["-c", SCRIPT], { input: JSON.stringify(CASES), encoding: "utf8" });
  expect(asked.stderr).toBe("");
  const ours = CASES.map(([platform, environ]) => {
    const rules = platform === "win32" ? win32 : posix;
    return checkpointDirectory(surroundings({ platform, environ, path: rules }));
  });
  expect(ours).toEqual(JSON.parse(asked.stdout));
  expect(ours[1]).toBe(String.raw`C:\Users\张三\.cache\torch\hub\checkpoints`);
});
