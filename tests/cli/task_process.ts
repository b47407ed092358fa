/** The tasks `train` and `generate` as processes, with a small text. */

import { assert, assertEquals } from "@std/assert";

const root = `${import.meta.dirname}/../..`;
const text = "the cat sat on the mat. a dog ran by; who is it?\n".repeat(120);
/** Options of a small and fast model on `small.txt`. */
export const tiny: readonly string[] = [
  ..."--layers 1 --dim 16 --heads 2 --seq 16 --batch 2 --threads 1".split(" "),
  ..."--sample 8 --data small.txt".split(" "),
];

/** How a task of deno.json runs, with its permissions, from any folder. */
async function taskArguments(name: string): Promise<string[]> {
  const path = `${root}/deno.json`;
  const { tasks } = JSON.parse(await Deno.readTextFile(path));
  const [deno, run, ...rest] = tasks[name].command.split(" ") as string[];
  assertEquals([deno, run], ["deno", "run"]);
  const script = `${root}/${rest.pop()}`;
  return ["run", "--quiet", `--config=${path}`, ...rest, script];
}

/** How a task ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A task in a folder, on its way. */
export async function start(
  folder: string,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Deno.ChildProcess> {
  return new Deno.Command(Deno.execPath(), {
    args: [...await taskArguments(name), ...args],
    cwd: folder,
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs a task in a folder to its end. */
export async function run(
  folder: string,
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ending> {
  const child = await start(folder, name, args, env);
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Ends a task by a signal as soon as its output has a certain text. */
export async function interruptAfter(
  child: Deno.ChildProcess,
  wanted: string,
  signal: Deno.Signal,
): Promise<Ending> {
  let stdout = "";
  const stderr = new Response(child.stderr).text();
  let sent = false;
  for await (
    const piece of child.stdout.pipeThrough(new TextDecoderStream())
  ) {
    stdout += piece;
    if (!sent && stdout.includes(wanted)) {
      child.kill(signal);
      sent = true;
    }
  }
  assert(sent, `${wanted} never came: ${stdout} ${await stderr}`);
  const { code } = await child.status;
  return { code, stdout, stderr: await stderr };
}

/** Calls a test with a folder that has a `small.txt` and ends with it. */
export async function inFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "layerbraid_" });
  try {
    await Deno.writeTextFile(`${folder}/small.txt`, text);
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
