/**
 * Largest element and sum of exponentials of rows.
 *
 * @module
 */

import type { RowSummary } from "./row_kernel.ts";
import { columnLoop, columnSums } from "./row_team.ts";

/** A number below all but −∞, for which WGSL has no constant. */
const lowest = "-3.4028234e38";

/**
 * x: the largest element of a row; y: Σ exp(element − largest); z: Σ (element −
 * largest) where `differences`, which infinite elements may make NaN, else 0.
 *
 * The row is the operand `logits`.
 */
export function exponentialSummary(differences: boolean): RowSummary {
  return {
    passes: 2,
    combinations: [
      { name: "team_largest", type: "f32", kind: "max" },
      { name: "team_sums", type: "vec2<f32>", kind: "add" },
    ],
    summarize: (lanes, team) => {
      const { type, mark } = lanes;
      const load = `load${mark}_logits(i)`;
      return `fn summarize(begin: u32, end: u32, lane: u32) -> vec3<f32> {
  var most = ${type}(${lowest});
  ${columnLoop(lanes, team, `most = max(most, ${load});`)}
  let largest = team_largest(${lanes.largest("most")}, lane);
  ${
        columnSums(
          lanes,
          team,
          {
            exponentials: `accurate_exp${mark}(difference)`,
            ...differences ? { differences: "difference" } : {},
          },
          `let difference = ${load} - largest;`,
        )
      }
  let sums = team_sums(vec2<f32>(${lanes.sum("exponentials")}, ${
        differences ? lanes.sum("differences") : "0.0"
      }), lane);
  return vec3<f32>(largest, sums);
}
`;
    },
    combine: `fn combine(first: u32) -> vec3<f32> {
  var largest = ${lowest};
  for (var p = 0u; p < parameters.parts; p++) {
    largest = max(largest, partial(first + p).x);
  }
  var sums = vec2<f32>();
  for (var p = 0u; p < parameters.parts; p++) {
    let found = partial(first + p);
    let lower = found.x - largest;
    sums.x += found.y * accurate_exp(lower);
    ${
      differences
        ? `let count = min(parameters.part_columns,
      parameters.columns - p * parameters.part_columns);
    sums.y += found.z + f32(count) * lower;`
        : ""
    }
  }
  return vec3<f32>(largest, sums);
}
`,
  };
}
