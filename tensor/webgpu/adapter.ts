/**
 * Which graphics adapters there are, what they can do, and which is worth
 * computing on.
 *
 * @module
 */

import { DeviceError } from "../device_error.ts";

/** An adapter in plain data. */
export interface AdapterDescription {
  /** Its name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  /** Its vendor, as the platform says. */
  readonly vendor: string;
  /** Its family, as the platform says; often empty. */
  readonly architecture: string;
  /** Whether a CPU plays the part of a GPU. */
  readonly software: boolean;
  /** Optional features, sorted. */
  readonly features: readonly string[];
  /** The limits that matter here, in bytes or counts. */
  readonly limits: Readonly<Record<AdapterLimit, number>>;
}

/** Limits that decide what fits. */
export type AdapterLimit =
  | "maxBufferSize"
  | "maxStorageBufferBindingSize"
  | "maxStorageBuffersPerShaderStage"
  | "maxUniformBufferBindingSize"
  | "maxComputeWorkgroupStorageSize"
  | "maxComputeInvocationsPerWorkgroup"
  | "maxComputeWorkgroupSizeX"
  | "maxComputeWorkgroupSizeY"
  | "maxComputeWorkgroupSizeZ"
  | "maxComputeWorkgroupsPerDimension";

/** Limits that are asked for up to what the adapter has. */
export const adapterLimits: readonly AdapterLimit[] = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxUniformBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
];

const softwareNames =
  /llvmpipe|lavapipe|swiftshader|softpipe|software|basic render/i;

/** Says what an adapter is and can do. */
export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { info } = adapter;
  const name = info.description || info.device || info.architecture ||
    info.vendor || "unnamed adapter";
  const described = `${name} ${info.vendor} ${info.architecture}`;
  return {
    name,
    vendor: info.vendor,
    architecture: info.architecture,
    software: info.isFallbackAdapter || softwareNames.test(described),
    features: [...adapter.features].sort(),
    limits: Object.fromEntries(
      adapterLimits.map((limit) => [limit, adapter.limits[limit]]),
    ) as Record<AdapterLimit, number>,
  };
}

/**
 * The adapter that the platform prefers for heavy work.
 *
 * @throws {DeviceError} Of kind `missing`, if there is none.
 */
export async function requestAdapter(): Promise<GPUAdapter> {
  const gpu: GPU | undefined = globalThis.navigator?.gpu;
  if (gpu === undefined) {
    throw new DeviceError(
      "missing",
      'device "webgpu": this platform has no navigator.gpu; use a browser or ' +
        'Deno version with WebGPU, or choose the device "wasm"',
    );
  }
  const adapter = await gpu.requestAdapter({
    powerPreference: "high-performance",
  }) ?? await gpu.requestAdapter();
  if (adapter === null) {
    throw new DeviceError(
      "missing",
      'device "webgpu": there is no graphics adapter; install a driver (on Linux ' +
        "Vulkan, mesa-vulkan-drivers has one that runs on the CPU), switch WebGPU " +
        'on in the browser, or choose the device "wasm"',
    );
  }
  return adapter;
}

/** All adapters that the platform shows, each once; none is no error. */
export async function listAdapters(): Promise<AdapterDescription[]> {
  const gpu: GPU | undefined = globalThis.navigator?.gpu;
  if (gpu === undefined) return [];
  const wishes: GPURequestAdapterOptions[] = [
    { powerPreference: "high-performance" },
    { powerPreference: "low-power" },
    { forceFallbackAdapter: true },
  ];
  const found = new Map<string, AdapterDescription>();
  for (const wish of wishes) {
    const adapter = await gpu.requestAdapter(wish);
    if (adapter === null) continue;
    const description = describeAdapter(adapter);
    const { name, vendor, architecture } = description;
    found.set(`${vendor} ${architecture} ${name}`, description);
  }
  return [...found.values()];
}

/** What the device `auto` is: a real GPU if there is one, else `wasm`. */
export function automaticDevice(
  adapters: readonly AdapterDescription[],
): "webgpu" | "wasm" {
  return adapters.some(({ software }) => !software) ? "webgpu" : "wasm";
}
