/**
 * What follows from tuning: which settings are worth looking at, and which one
 * to take.
 *
 * @module
 */

import type { SettingEvent } from "./tune.ts";
import type { TuneSetting } from "./tune_setting.ts";

/** Of a time, to be worth another setting or more devices. */
const leastGain = 0.99;

/** What to train with on up to so many devices. */
export interface Recommendation {
  /** Number of devices; fewer of them where more don't help. */
  readonly devices: number;
  /** The setting; absent where nothing accurate is faster than serial. */
  readonly setting?: TuneSetting;
  /** Modelled time of a training step. */
  readonly milliseconds: number;
  /** Of that over serial training. */
  readonly speedUp: number;
  /** Of its gradient; 1 of the serial one. */
  readonly cosine: number;
}

/**
 * The fastest setting on up to each number of devices among those whose
 * gradients are accurate enough.
 *
 * @param serial Milliseconds of a serial training step.
 * @param devices As given to `tune`, ascending.
 * @param smallestCosine Of the block's gradient.
 */
export function recommend(
  measured: readonly SettingEvent[],
  serial: number,
  devices: readonly number[],
  smallestCosine: number,
): Recommendation[] {
  const accurate = measured.filter(({ cosine }) => cosine >= smallestCosine);
  let best: Omit<Recommendation, "devices"> = {
    milliseconds: serial,
    speedUp: 1,
    cosine: 1,
  };
  return devices.map((count, i) => {
    for (const { setting, times, cosine } of accurate) {
      const milliseconds = times[i];
      if (milliseconds >= best.milliseconds * leastGain) continue;
      const speedUp = serial / milliseconds;
      best = { setting, milliseconds, speedUp, cosine };
    }
    return { devices: count, ...best };
  });
}

/**
 * Settings that would be recommended for some number of devices and some
 * smallest cosine.
 */
export function worthwhile(
  measured: readonly SettingEvent[],
): SettingEvent[] {
  const finite = measured.filter(({ cosine }) => Number.isFinite(cosine));
  return finite.filter((one, k) =>
    one.times.some((time, i) =>
      finite.every((other, j) =>
        other.cosine < one.cosine || other.times[i] > time ||
        (other.cosine === one.cosine && other.times[i] === time && j >= k)
      )
    )
  );
}

/**
 * Best first: those that are accurate enough by their time on as many devices as
 * help, then the others by their cosine.
 */
export function ranked(
  measured: readonly SettingEvent[],
  smallestCosine: number,
): SettingEvent[] {
  const rank = ({ cosine }: SettingEvent): number =>
    cosine >= smallestCosine ? 2 : Number.isFinite(cosine) ? 1 : 0;
  return measured.toSorted((a, b) =>
    rank(b) - rank(a) ||
    (rank(a) === 2 ? Math.min(...a.times) - Math.min(...b.times) : 0) ||
    b.cosine - a.cosine
  );
}

/** The options of `deno task train` that stand for a setting. */
export function trainArguments(setting: TuneSetting): string {
  const { levels, coarsening, relaxation, guess, forward, backward } = setting;
  const depths = [forward, backward]
    .map((iterations) => iterations === "serial" ? 1 : levels);
  return [
    // A serial run that goes on wouldn't take the others otherwise.
    "--solver mgrit",
    `--levels ${depths[0] === depths[1] ? levels : depths.join(",")}`,
    `--coarsening ${coarsening}`,
    `--relaxation ${
      levels === 2 || relaxation === "FCF" ? relaxation : `${relaxation},FCF`
    }`,
    `--guess ${guess}`,
    ...(forward === "serial" ? [] : [`--forward-iterations ${forward}`]),
    ...(backward === "serial" ? [] : [`--backward-iterations ${backward}`]),
  ].join(" ");
}
