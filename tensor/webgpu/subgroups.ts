/**
 * Whether kernels can use subgroups, and how they ask for them.
 *
 * @module
 */

const probe = `@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32) {
  total = subgroupAdd(f32(lane));
}
var<private> total: f32;`;

/**
 * What a kernel with subgroups begins with, `undefined` where there are none.
 * Some platforms have subgroups and don't know the directive yet that WGSL asks
 * for, so a kernel is compiled to see.
 */
export async function subgroupDirective(
  device: GPUDevice,
): Promise<string | undefined> {
  if (!device.features.has("subgroups")) return undefined;
  for (const directive of ["enable subgroups;", ""]) {
    device.pushErrorScope("validation");
    device.createComputePipeline({
      label: "subgroups",
      layout: "auto",
      compute: {
        module: device.createShaderModule({
          label: "subgroups",
          code: `${directive}\n${probe}`,
        }),
        entryPoint: "main",
      },
    });
    if (await device.popErrorScope() === null) return directive;
  }
  return undefined;
}
