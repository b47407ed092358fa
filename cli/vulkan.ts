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
  if (Deno.build.os !== "linux") return;
  // A program that may not touch the environment gets on without.
  const permission = { name: "env", variable } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return;
  if (Deno.env.get(variable)) return;
  Deno.env.set(variable, "vulkan");
}
