// What is tried, in this order. A step resolves with what was seen, in a few words, or rejects with `Failed` and what was seen instead.
import { ctrlC } from "./ctrl-c.mjs";
import { parentDies } from "./parent-dies.mjs";
import { PICTURES } from "./project.mjs";
import { CHINESE, NUMPYS } from "./recipe.mjs";
import { Failed } from "./run.mjs";

const UNTRAINED = ["--weights", "untrained:0"];
const [OLD, NEW] = Object.keys(NUMPYS);

/** What the command printed. @throws Failed where it did not end with `code`. */
async function printed(windows, args, options = {}) {
  const { code = 0, ...rest } = options;
  const result = await windows.isotorch(args, rest);
  if (result.code !== code) throw new Failed(`ended with ${result.code}: ${tail(result)}`);
  return result;
}

const tail = ({ stdout, stderr }) =>
  `${stderr}\n${stdout}`.trim().split("\n").slice(-6).join(" | ").slice(-600);

const classifies = (env, picture, isChinese = false) => ({
  isShort: true,
  run: async (windows) => {
    const args = ["classify", picture, "--env", env, ...UNTRAINED, "--top-k", "1", "--json"];
    const { stdout } = await printed(windows, args, { isChinese });
    const { input, top } = JSON.parse(stdout);
    if (input !== picture) throw new Failed(`the answer is of ${input}`);
    return `${input}: ${top[0].label}, ${top[0].percent} %`;
  },
});

const PARITY = {
  isShort: true,
  run: async (windows, isGate) => {
    const handoff = isGate ? "tensor" : "all";
    const args = ["parity", "landscape.jpg", "--handoff", handoff, "--env", NEW, ...UNTRAINED];
    const { stdout } = await printed(windows, args);
    const lines = stdout.trim().split("\n");
    // One line for each handoff.
    const equal = lines.filter((line) => /^ {2}\S+: 1 equal$/.test(line)).length;
    if (equal !== (isGate ? 1 : 3)) throw new Failed(lines.slice(-8).join(" | "));
    return lines.at(-1);
  },
};

const DOCTOR = {
  run: async (windows) => {
    const { stdout } = await printed(windows, ["doctor", "--env", CHINESE], { isChinese: true });
    const python = `${CHINESE}\\python.exe`;
    if (!stdout.includes(python))
      throw new Failed(`${python} is not in what it printed: ${stdout.slice(0, 600)}`);
    return `${python}; ${/Compared .*/.exec(stdout)?.[0] ?? "nothing was compared"}`;
  },
};

const TUTORIAL = {
  run: async (windows) => {
    const args = ["tutorial", PICTURES.chinese, "--check", "--env", CHINESE, ...UNTRAINED];
    const { stdout } = await printed(windows, args, { isChinese: true });
    return stdout.trim().split("\n").at(-1);
  },
};

/** Scenarios that run inside Windows' Node, each with a line of its own. */
const inside = (file, options = {}) => ({ inside: file, options });

export const STEPS = {
  [`starts with ${NUMPYS[OLD]}`]: classifies(OLD, "landscape.jpg"),
  [`starts with ${NUMPYS[NEW]}`]: classifies(NEW, "landscape.jpg"),
  "classifies 狗.jpg under C:\\users\\张三, code page 936": classifies(CHINESE, PICTURES.chinese, true),
  "parity, in the gate by tensor and else by every handoff": PARITY,
  "doctor under C:\\users\\张三, code page 936": DOCTOR,
  "tutorial --check under C:\\users\\张三, code page 936": TUTORIAL,
  "the parent is killed while the worker imports": { run: parentDies },
  "Ctrl-C ends classify --watch": { run: ctrlC },
  processes: inside("processes.mjs"),
  inputs: inside("inputs.mjs"),
  watch: inside("watch.mjs"),
  files: inside("files.mjs"),
  commands: inside("commands.mjs", { isChinese: true }),
};
