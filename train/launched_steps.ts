/**
 * Steps that run ahead of their numbers: launched one after the other, read some
 * at a time.
 *
 * @module
 */

import { dispose, leaves, type Tree } from "../tensor/internal.ts";
import type { TrainingEvent } from "./event.ts";
import { readNumbers, type StepNumbers, tensorsOf } from "./step_gradient.ts";
import { readIntervalOf } from "./train_options.ts";
import {
  freshScale,
  isProbeNext,
  type LaunchedStep,
  launchStep,
  probedStep,
  type Progression,
  stepAgain,
  stepEvent,
} from "./training_step.ts";

/** Steps whose numbers are on their way. */
interface Reading {
  readonly steps: readonly LaunchedStep[];
  readonly arrival: Promise<Arrival>;
}

/** What has arrived, and when. */
interface Arrival {
  readonly numbers: readonly StepNumbers[];
  readonly time: number;
}

/**
 * Takes steps up to number `last`, and tells what they found. Their numbers are
 * read every few steps, while the next steps are launched; all are read at the
 * end. It ends early where the user interrupts it, and after a step that wasn't
 * finite: those behind it weren't taken, either, and it is taken again.
 *
 * @throws {NonFiniteError} If a step isn't finite and nothing helps.
 */
export async function* launchSteps<P extends Tree>(
  run: Progression<P>,
  last: number,
): AsyncGenerator<TrainingEvent, void, void> {
  const first = run.now.progress.step;
  // The scale of the loss may need several attempts at the same step.
  do yield* launchTogether(run, last); while (run.now.progress.step === first);
}

async function* launchTogether<P extends Tree>(
  run: Progression<P>,
  last: number,
): AsyncGenerator<TrainingEvent, void, void> {
  const { options: { signal, readInterval }, now: { parameters } } = run;
  const interval = readInterval ?? readIntervalOf(leaves(parameters)[0].device);
  let before = freshScale(parameters);
  let launched: LaunchedStep[] = [];
  let reading: Reading | undefined;
  let begun = 0;
  // Tells of steps that are being read; false if one of them wasn't taken.
  const settle = async function* (
    next: Reading | undefined,
  ): AsyncGenerator<TrainingEvent, boolean, void> {
    const settled = reading;
    reading = next;
    if (settled === undefined) return true;
    const { steps, arrival } = settled;
    const { numbers, time } = await arrival;
    const milliseconds = (time - begun) / steps.length;
    begun = time;
    for (const [i, step] of steps.entries()) {
      if (!numbers[i].isTaken) {
        await forget();
        yield* await stepAgain(run, step, numbers[i]);
        return false;
      }
      yield stepEvent(step, numbers[i], milliseconds);
    }
    return true;
  };
  const settleAll = async function* (): AsyncGenerator<
    TrainingEvent,
    boolean,
    void
  > {
    const next = launched.length > 0 ? read(launched) : undefined;
    launched = [];
    return (yield* settle(next)) && (yield* settle(undefined));
  };
  const forget = async (): Promise<void> => {
    dispose(launched.flatMap(({ numbers }) => tensorsOf(numbers)));
    launched = [];
    await reading?.arrival.catch(() => {});
    reading = undefined;
  };
  try {
    do {
      if (isProbeNext(run)) {
        if (!(yield* settleAll())) return;
        yield* await probedStep(run);
        continue;
      }
      if (launched.length === 0 && reading === undefined) {
        begun = performance.now();
      }
      const step = launchStep(run, before);
      launched.push(step);
      before.dispose();
      before = step.numbers.scale.retain();
      await othersTurn();
      if (step.step % interval !== 0) continue;
      // Numbers of every single step are read before the next one.
      const next = read(launched);
      launched = [];
      if (!(yield* settle(next))) return;
      if (interval === 1 && !(yield* settle(undefined))) return;
    } while (run.now.progress.step < last && !signal?.aborted);
    yield* settleAll();
  } finally {
    before.dispose();
    await forget();
  }
}

function read(steps: readonly LaunchedStep[]): Reading {
  const arrival = Promise.all(steps.map((step) => readNumbers(step.numbers)))
    .then((numbers) => ({ numbers, time: performance.now() }));
  // Whoever waits for it hears of faults; until then nobody does.
  arrival.catch(() => {});
  return { steps, arrival };
}

// A loop whose tensors can be read at once never waits, and would let neither
// signals nor timers through.
async function othersTurn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(undefined);
  });
  port1.close();
}
