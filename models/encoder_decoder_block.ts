/**
 * The layers of an encoder–decoder as one ODE block of two sections, or each by
 * itself.
 *
 * @module
 */

import {
  type Discretization,
  eulerStep,
  layerMapBlock,
  type OdeBlock,
  type OdeLayers,
  residualBlock,
  sectionedBlock,
} from "../mgrit/mod.ts";
import { type Tensor, zerosLike } from "../tensor/internal.ts";
import {
  crossAttentionBranch,
  type DecoderContext,
  type DecoderLayerParameters,
  postNormDecoderLayer,
} from "./decoder_layer.ts";
import type { NormPlace } from "./layer_stacks.ts";
import type { LayerParameters, TransformerContext } from "./sublayers.ts";
import { attentionBranch, mlpBranch, postNormLayer } from "./transformer.ts";

/** The state of the ODE block. */
export interface EncoderDecoderState {
  /** For the type of trees. */
  readonly [name: string]: Tensor;
  /** X `[B, S, width]`. */
  readonly encoder: Tensor;
  /** Y `[B, T, width]`. */
  readonly decoder: Tensor;
}

/** Parameters of the layers: a stacked tree for each section. */
export type EncoderDecoderLayers = {
  /** Stacked layers of the encoder. */
  readonly encoder: LayerParameters;
  /** Stacked layers of the decoder. */
  readonly decoder: DecoderLayerParameters;
};

/** Number and kind of the layers. */
export interface LayersConfiguration {
  /** Layers of the encoder, the first section of the ODE block. */
  readonly encoderLayers: number;
  /** Layers of the decoder, the second section. */
  readonly decoderLayers: number;
  /** T of both together; the number of all layers makes h = 1. */
  readonly endTime: number;
  /** Where the step size stands in pre-LN layers. */
  readonly discretization: Discretization;
  /** Where layers normalize; pre-LN stacks have a final normalization too. */
  readonly norm: NormPlace;
}

/** What all layers see of a batch. */
export interface EncoderDecoderContext
  extends Omit<TransformerContext, "causal" | "keep" | "cache"> {
  /** bool `[B, S]`: false at padding. */
  readonly sourceKeep?: Tensor;
  /** bool `[B, T]`: false at padding. */
  readonly targetKeep?: Tensor;
}

/** The encoder's layers by themselves. */
export function encoderBlock(
  configuration: LayersConfiguration,
): OdeBlock<Tensor, LayerParameters, TransformerContext> {
  const { norm, discretization, encoderLayers: layers } = configuration;
  const endTime = layers * stepSizeOf(configuration);
  if (norm === "post") {
    return layerMapBlock({ layers, endTime, map: postNormLayer });
  }
  const branches = [attentionBranch, mlpBranch];
  return residualBlock({ layers, endTime, discretization, branches });
}

/** The decoder's layers by themselves, for given states of the encoder. */
export function decoderBlock(
  configuration: LayersConfiguration,
): OdeBlock<Tensor, DecoderLayerParameters, DecoderContext> {
  const { norm, discretization, decoderLayers: layers } = configuration;
  const endTime = layers * stepSizeOf(configuration);
  if (norm === "post") {
    return layerMapBlock({ layers, endTime, map: postNormDecoderLayer });
  }
  const branches = [attentionBranch, crossAttentionBranch, mlpBranch];
  return residualBlock({ layers, endTime, discretization, branches });
}

function stepSizeOf(
  { endTime, encoderLayers, decoderLayers }: LayersConfiguration,
): number {
  return endTime / (encoderLayers + decoderLayers);
}

type Layers<P extends LayerParameters> = OdeLayers<
  EncoderDecoderState,
  P,
  EncoderDecoderContext
>;

/**
 * Both as one block: F = (F_enc(X), 0) in the encoder's layers, (0, F_dec(Y, X))
 * in the decoder's.
 */
export function encoderDecoderBlock(
  configuration: LayersConfiguration,
): OdeBlock<
  EncoderDecoderState,
  EncoderDecoderLayers,
  EncoderDecoderContext
> {
  return sectionedBlock<
    EncoderDecoderState,
    EncoderDecoderLayers,
    EncoderDecoderContext
  >({
    endTime: configuration.endTime,
    sections: {
      encoder: encoderSection(encoderBlock(configuration)),
      decoder: decoderSection(decoderBlock(configuration)),
    },
  });
}

function encoderSection(
  block: ReturnType<typeof encoderBlock>,
): Layers<LayerParameters> {
  const contextOf = <C extends EncoderDecoderContext>(
    context: C,
  ): C & TransformerContext => ({
    ...context,
    causal: false,
    keep: context.sourceKeep,
  });
  return {
    layers: block.layers,
    rightHandSide: ({ encoder, decoder }, parameters, context) => ({
      encoder: block.rightHandSide(encoder, parameters, contextOf(context)),
      decoder: zerosLike(decoder),
    }),
    step: ({ encoder, decoder }, parameters, h, context) => ({
      encoder: eulerStep(block, encoder, parameters, h, contextOf(context)),
      decoder,
    }),
  };
}

function decoderSection(
  block: ReturnType<typeof decoderBlock>,
): Layers<DecoderLayerParameters> {
  const contextOf = <C extends EncoderDecoderContext>(
    context: C,
    memory: Tensor,
  ): C & DecoderContext => ({
    ...context,
    causal: true,
    keep: context.targetKeep,
    memory,
    memoryKeep: context.sourceKeep,
  });
  return {
    layers: block.layers,
    rightHandSide: ({ encoder, decoder }, parameters, context) => ({
      encoder: zerosLike(encoder),
      decoder: block.rightHandSide(
        decoder,
        parameters,
        contextOf(context, encoder),
      ),
    }),
    step: ({ encoder, decoder }, parameters, h, context) => ({
      encoder,
      decoder: eulerStep(
        block,
        decoder,
        parameters,
        h,
        contextOf(context, encoder),
      ),
    }),
  };
}
