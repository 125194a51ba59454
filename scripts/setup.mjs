// Makes a fresh clone ready: installs what package-lock.json says and compiles, each only when something changed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const run = (command, args) => {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error || status !== 0) {
    console.error(`fewstep: '${command} ${args.join(" ")}' failed${error ? `: ${error.message}` : ""}`);
    process.exit(status || 1);
  }
};

const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
const stamp = join(root, "node_modules", ".fewstep-lock");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  console.log("fewstep: installing packages (once)");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
  writeFileSync(stamp, lock);
}

const newest = (path) =>
  statSync(path).isDirectory()
    ? Math.max(
        0,
        ...readdirSync(path)
          .filter((f) => f !== "node_modules")
          .map((f) => newest(join(path, f))),
      )
    : statSync(path).mtimeMs;
const built = join(root, "dist", ".built");
const sources = Math.max(...["src", "test", "bench", "tsconfig.base.json"].map((p) => newest(join(root, p))));
if (!existsSync(built) || statSync(built).mtimeMs < sources) {
  console.log("fewstep: compiling");
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-b"]);
  writeFileSync(built, new Date().toISOString());
}
