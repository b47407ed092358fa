/**
 * `deno run --allow-read bench/start.ts`: milliseconds from the import to the
 * first result of a 2 × 2 product on `wasm`, in a fresh process.
 *
 * @module
 */

const begun = performance.now();
const { device, matmul, tensor } = await import("../tensor/mod.ts");
await device("wasm");
const x = tensor([[1, 2], [3, 4]]);
await matmul(x, x).data();
console.log(`${(performance.now() - begun).toFixed(1)} ms`);
