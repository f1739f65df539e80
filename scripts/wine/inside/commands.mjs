// cmd.exe, the registry and conda's scripts, with Chinese in their paths; run in code page 936.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { PYTHON, check, internal, scenarios } from "./harness.mjs";

const { activationOf } = await internal("python/activation/activation.js");
const { surroundings } = await internal("python/surroundings.js");

/** A conda prefix with one script of activate.d. */
function prefixWith(prefix, script) {
  rmSync(prefix, { recursive: true, force: true });
  const folder = path.join(prefix, "etc", "conda", "activate.d");
  for (const made of [folder, path.join(prefix, "conda-meta")]) mkdirSync(made, { recursive: true });
  writeFileSync(path.join(folder, "a.bat"), script);
  return prefix;
}

async function activates(prefix) {
  const script = '@set MARK=set by a script\r\n@set "PATH=C:\\added;%PATH%"\r\n';
  const { variables, front, complaint } = await activationOf(prefixWith(prefix, script), surroundings());
  const isWell = variables.MARK === "set by a script" && front[0] === "C:\\added";
  return check(isWell, `MARK=${variables.MARK}, in front of the PATH ${front[0]}, complaint: ${complaint}`);
}

await scenarios({
  "a script of activate.d is run": () => activates("C:\\conda envs\\environment"),
  "a script of activate.d is run in a prefix with Chinese in its path": () =>
    activates("C:\\conda envs\\环境"),
  "conda.bat in a folder with a blank and Chinese is asked": async () => {
    const folder = "C:\\my 工具\\condabin";
    mkdirSync(folder, { recursive: true });
    // A stand-in for conda: it says what `conda shell.posix+json activate` says.
    writeFileSync(path.join(folder, "conda.bat"), `@"${process.execPath}" "%~dp0stand-in.cjs" %*\r\n`);
    writeFileSync(
      path.join(folder, "stand-in.cjs"),
      `const prefix = process.argv.at(-1);
const variables = { CONDA_PREFIX: prefix, MARK: "set by conda" };
const path = { PATH: [prefix, "C:\\\\windows"] };
const scripts = { activate: [], deactivate: [] };
console.log(JSON.stringify({ path, vars: { export: variables, set: {}, unset: [] }, scripts }));
`,
    );
    const prefix = prefixWith("C:\\conda envs\\环境 2", "");
    const environ = { ...process.env, PATH: `${folder};${process.env.PATH}` };
    const { variables } = await activationOf(prefix, surroundings({ environ }));
    const { MARK, CONDA_PREFIX } = variables;
    return check(MARK === "set by conda" && CONDA_PREFIX === prefix, JSON.stringify({ MARK, CONDA_PREFIX }));
  },
  "an argument of a .bat arrives as it was given, or is refused by name: blanks, &, ^, Chinese, %":
    async () => {
      const { runCommand } = await internal("python/command.js");
      const folder = "C:\\my 工具";
      const [script, seen] = [path.join(folder, "a b.bat"), path.join(folder, "seen.json")];
      mkdirSync(folder, { recursive: true });
      writeFileSync(script, `@"${process.execPath}" "%~dp0write.cjs" %*\r\n`);
      const program = `require("node:fs").writeFileSync(${JSON.stringify(seen)}, JSON.stringify(process.argv.slice(2)))`;
      writeFileSync(path.join(folder, "write.cjs"), program);
      const arriving = async (words) => {
        rmSync(seen, { force: true });
        const { outcome, stderr } = await runCommand(script, words, { timeoutMs: 20_000 });
        const isRefused =
          outcome === "not-started" && words.some((word) => stderr.includes(JSON.stringify(word)));
        if (isRefused) return "refused";
        return existsSync(seen) ? readFileSync(seen, "utf8") : `nothing (${stderr.slice(0, 200)})`;
      };
      const plain = ["x y", "a&b", "^c", "图片", "(d)", "e!f!"];
      const arrived = await arriving(plain);
      check(arrived === JSON.stringify(plain), `${plain.join(" ")} is ${arrived}`);
      for (const word of ["100%", "%PATH%"]) {
        const what = await arriving([word]);
        check(what === "refused" || what === JSON.stringify([word]), `${word} is ${what.slice(0, 200)}`);
      }
      return `${plain.length} words arrive; %PATH% is ${await arriving(["%PATH%"])}`;
    },
  "Pythons of the registry (PEP 514), one with Chinese in its path": async () => {
    const { registeredPythons } = await internal("python/conda/registry.js");
    const root = "HKCU\\Software\\Python";
    const wanted = [PYTHON, "C:\\用户\\python.exe"];
    for (const [at, file] of wanted.entries()) {
      const key = `${root}\\PythonCore\\3.1${at}\\InstallPath`;
      const { status } = spawnSync("reg", ["add", key, "/v", "ExecutablePath", "/d", file, "/f"]);
      check(status === 0, `reg add ended with ${status}`);
    }
    const found = await registeredPythons(surroundings());
    spawnSync("reg", ["delete", root, "/f"]);
    return check(
      wanted.every((file) => found.includes(file)),
      found.join(", "),
    );
  },
});
