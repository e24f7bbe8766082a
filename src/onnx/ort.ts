// The part of ONNX Runtime that this library uses, as structure: onnxruntime-web, -node and -common all have it, whatever the build.
// No `instanceof`: tensors of two builds are interchangeable, their classes are not.

/** A tensor of any build. */
export interface TensorLike {
  readonly type: string;
  readonly dims: readonly number[];
  /** Present on tensors of ONNX Runtime ≥ 1.16; brings data from the GPU where they are there. */
  getData?(): Promise<unknown>;
  readonly data?: unknown;
  dispose?(): void;
}

/** What a session says about one input or output; a dimension with a name may have any size. */
export interface ValueMetadataLike {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

/** A loaded network of any build. */
export interface SessionLike {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Absent before ONNX Runtime 1.22. */
  readonly inputMetadata?: readonly ValueMetadataLike[];
  readonly outputMetadata?: readonly ValueMetadataLike[];
  // biome-ignore lint/suspicious/noExplicitAny: the builds' tensor classes differ in private members; only `any` accepts them all
  run(feeds: any, fetches?: any): Promise<{ readonly [name: string]: any }>;
  release?(): Promise<void>;
}

/** A build of ONNX Runtime: `import * as ort from "onnxruntime-web"`, or "onnxruntime-node", as it is. */
export interface OrtLike {
  readonly Tensor: {
    // biome-ignore lint/suspicious/noExplicitAny: see SessionLike
    new (type: any, data: any, dims?: readonly number[]): any;
    /** In builds for WebGPU. */
    // biome-ignore lint/suspicious/noExplicitAny: see SessionLike
    fromGpuBuffer?(buffer: any, options: any): any;
  };
  /** In builds for WebGPU `webgpu.device` is, or promises, the device of all sessions. */
  readonly env?: object;
  readonly InferenceSession: {
    create(bytes: Uint8Array, options?: { executionProviders?: string[] }): Promise<SessionLike>;
  };
}
