// Makes a fresh clone ready: installs the packages of package-lock.json and compiles, each only when something changed.
// node scripts/setup.mjs [PROJECT ...] compiles these TypeScript projects (folders with a tsconfig.json), by default src.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const projects = process.argv.length > 2 ? process.argv.slice(2) : ["src"];

function stop(message) {
  console.error(`fewstep: ${message}`);
  process.exit(1);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32" && command === "npm",
  });
  if (error || status !== 0) stop(`'${command} ${args.join(" ")}' failed${error ? `: ${error.message}` : ""}`);
}

/** Whether node_modules holds what package-lock.json asks for, whichever command installed it. */
function installed() {
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const packages = (path) => JSON.parse(readFileSync(path, "utf8")).packages;
  const there = packages(record);
  return Object.entries(packages(join(root, "package-lock.json"))).every(
    ([path, { version, optional }]) =>
      !path || optional || (there[path]?.version === version && existsSync(join(root, path))),
  );
}

/** When something in a folder changed last; folders count, so that removed files do. */
const changed = (path) =>
  statSync(path).isDirectory()
    ? Math.max(statSync(path).mtimeMs, ...readdirSync(path).map((name) => changed(join(path, name))))
    : statSync(path).mtimeMs;

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19))
  stop(`Node ${process.versions.node} is too old; expected 20.19 or newer`);

if (!installed()) {
  console.log("fewstep: installing packages");
  run("npm", ["ci"]);
}

for (const project of projects) {
  const built = join(root, "dist", `${project.replaceAll("/", "-")}.built`);
  const sources = Math.max(...["src", project, "tsconfig.base.json"].map((path) => changed(join(root, path))));
  if (existsSync(built) && statSync(built).mtimeMs >= sources) continue;
  console.log(`fewstep: compiling ${project}`);
  const start = new Date();
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-b", project]);
  writeFileSync(built, "");
  // What was saved while it compiled is newer than this.
  utimesSync(built, start, start);
}
