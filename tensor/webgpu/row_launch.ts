/**
 * Launches of kernels on rows.
 *
 * @module
 */

import type { View } from "../backend.ts";
import type { DescribeIndex, Gpu } from "./gpu.ts";
import { type RowKernel, rowShader, type RowStep } from "./row_kernel.ts";
import { rowParts } from "./row_parts.ts";
import { inWindows } from "./windows.ts";
import {
  rowLanes,
  type RowTeam,
  rowTeam,
  soloTeam,
  teamWorkgroups,
} from "./row_team.ts";
import { scratch } from "./scratch.ts";
import { slice } from "./windows.ts";

/**
 * Launches a kernel on all rows.
 *
 * @param views The operands and row operands.
 * @param values The kernel's further parameters.
 * @param describe Makes the error for what the kernel reports.
 */
export function launchRows(
  gpu: Gpu,
  kernel: RowKernel,
  views: readonly View[],
  values: readonly number[] = [],
  describe?: DescribeIndex,
): void {
  const [rows, columns] = views[0].shape;
  if (columns === 0) return;
  const { length } = kernel.operands;
  const viewsOf = (from: number, to: number): View[] =>
    views.map((view) => slice(view, 0, from, to));
  inWindows(gpu, rows, viewsOf, (from, to, views) => {
    const lanes = rowLanes(columns, views.slice(0, length));
    const parts = rowParts(gpu, to - from, columns);
    const whole = kernel.summary === undefined || parts.count === 1;
    const { operation, summary, element } = kernel;
    const wide = rowTeam(
      gpu,
      operation,
      parts.columns / lanes.width,
      (summary?.passes ?? 0) + (whole && element ? 1 : 0),
    );
    const launch = (
      step: RowStep,
      team: RowTeam,
      teams: number,
      views: readonly View[],
    ): void => {
      const key = `${operation} ${kernel.variant} ${step} ` +
        `${lanes.width} ${team.size}`;
      gpu.launch(
        gpu.shader(key, () => rowShader(kernel, step, lanes, team)),
        views,
        [teams, columns, parts.count, parts.columns, from, ...values],
        teamWorkgroups(team, teams),
        undefined,
        describe,
      );
    };
    const teams = (to - from) * parts.count;
    if (whole) {
      launch(summary ? "whole" : "each", wide, teams, views);
      return;
    }
    const partials = scratch(gpu, operation, 3 * teams);
    const inputs = views.filter((_, i) =>
      kernel.operands[i]?.access === "read"
    );
    launch("partial", wide, teams, [...inputs, partials]);
    if (element) launch("finish", wide, teams, [...views, partials]);
    else launch("finish", soloTeam, to - from, [...views, partials]);
    gpu.pool.free(partials.buffer);
  });
}
