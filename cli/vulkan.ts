/**
 * Which graphics interface Deno's WebGPU speaks.
 *
 * @module
 */

const variable = "DENO_WEBGPU_BACKEND";

/**
 * Lets Deno look for Vulkan adapters alone on Linux, unless the environment says
 * otherwise. It would also look for OpenGL, which is of no use here, and whose
 * libraries, once loaded, now and then crash a process that has done all its
 * work, while it ends (seen with Mesa 22.3).
 *
 * Before the first use of WebGPU.
 */
export function preferVulkan(): void {
  if (Deno.build.os !== "linux" || Deno.env.get(variable)) return;
  Deno.env.set(variable, "vulkan");
}
