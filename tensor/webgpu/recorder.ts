/**
 * Commands on their way to the GPU: one encoder and one pass for as many
 * launches as come, and one submission when somebody waits for them.
 *
 * @module
 */

/** Bytes of uniform numbers that one submission can hold. */
const uniformBytes = 2 ** 20;

/** Records launches and submits them. */
export class Recorder {
  /** Numbers the recordings, so that a block can tell whether this one uses it. */
  serial = 1;
  /** Submissions so far. */
  submits = 0;
  /** The uniform numbers of the recording, in 32-bit words. */
  readonly words: Uint32Array<ArrayBuffer> = new Uint32Array(uniformBytes / 4);
  /** The same memory. */
  readonly floats: Float32Array<ArrayBuffer> = new Float32Array(
    this.words.buffer,
  );
  /** Where kernels find these numbers. */
  readonly uniforms: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #wordsPerSlot: number;
  #usedWords = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #due = false;
  #pipeline: GPUComputePipeline | undefined;

  /** A recorder with nothing recorded. */
  constructor(device: GPUDevice) {
    this.#device = device;
    this.#wordsPerSlot = device.limits.minUniformBufferOffsetAlignment / 4;
    this.uniforms = device.createBuffer({
      label: "uniforms",
      size: uniformBytes,
      usage: 0x40 | 0x08, // UNIFORM | COPY_DST
    });
  }

  /** Room for `words` uniform numbers: their place in `words`. */
  reserve(words: number): number {
    const slots = Math.ceil(words / this.#wordsPerSlot);
    const needed = slots * this.#wordsPerSlot;
    // A binding of several sizes may reach past what it uses, not past the end.
    if (this.#usedWords + needed > this.words.length) this.submit();
    const at = this.#usedWords;
    this.#usedWords += needed;
    return at;
  }

  /** Records a launch. */
  dispatch(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    uniformWord: number,
    [x, y, z]: readonly [number, number, number],
  ): void {
    const pass = this.#pass ??= this.encoder().beginComputePass();
    if (this.#pipeline !== pipeline) {
      pass.setPipeline(pipeline);
      this.#pipeline = pipeline;
    }
    offsets[0] = uniformWord * 4;
    pass.setBindGroup(0, group, offsets, 0, 1);
    pass.dispatchWorkgroups(x, y, z);
  }

  /** The encoder, outside any pass, for copies. */
  encoder(): GPUCommandEncoder {
    this.#endPass();
    if (this.#encoder === undefined) {
      this.#encoder = this.#device.createCommandEncoder();
      if (!this.#due) {
        this.#due = true;
        // The end of the synchronous part of a step; later launches begin a
        // recording of their own.
        queueMicrotask(() => {
          this.#due = false;
          this.submit();
        });
      }
    }
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#pipeline = undefined;
  }

  /** Sends what is recorded, if anything is. */
  submit(): void {
    if (this.#encoder === undefined) {
      this.#usedWords = 0; // of launches that failed
      return;
    }
    this.#endPass();
    if (this.#usedWords > 0) {
      // After the commands submitted before, which read the old numbers.
      this.#device.queue.writeBuffer(
        this.uniforms,
        0,
        this.words,
        0,
        this.#usedWords,
      );
    }
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#usedWords = 0;
    this.submits++;
    this.serial++;
  }
}

// Deno reads these twice as fast as the elements of an array.
const offsets: Uint32Array<ArrayBuffer> = new Uint32Array(1);

/** Workgroups along two axes, none beyond the limit, at least `count` in all. */
export function spread(count: number): [number, number, number] {
  const most = 65535;
  if (count <= most) return [count, 1, 1];
  const rows = Math.ceil(count / most);
  return [Math.ceil(count / rows), rows, 1];
}
