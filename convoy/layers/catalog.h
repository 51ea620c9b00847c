// The operators that Convoy has: one file each, one line each in catalog.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "convoy/graph/layer_kind.h"

namespace convoy::layers {

extern const graph::LayerKind kAdd;
extern const graph::LayerKind kAveragePool;
extern const graph::LayerKind kBatchNormalization;
extern const graph::LayerKind kConcat;
extern const graph::LayerKind kConv;
extern const graph::LayerKind kDropout;
extern const graph::LayerKind kFlatten;
extern const graph::LayerKind kGather;
extern const graph::LayerKind kGemm;
extern const graph::LayerKind kGlobalAveragePool;
extern const graph::LayerKind kLeakyRelu;
extern const graph::LayerKind kLocalContrastNormalization;
extern const graph::LayerKind kLocallyConnected;
extern const graph::LayerKind kLocallyConnectedAutoencoder;
extern const graph::LayerKind kLogSoftmax;
extern const graph::LayerKind kLpPool;
extern const graph::LayerKind kLrn;
extern const graph::LayerKind kMaxPool;
extern const graph::LayerKind kMeanSquaredError;
extern const graph::LayerKind kMul;
extern const graph::LayerKind kPad;
extern const graph::LayerKind kParameter;
extern const graph::LayerKind kRadialBasis;
extern const graph::LayerKind kRelu;
extern const graph::LayerKind kReshape;
extern const graph::LayerKind kScale;
extern const graph::LayerKind kSigmoid;
extern const graph::LayerKind kSoftmax;
extern const graph::LayerKind kSoftmaxCrossEntropyLoss;
extern const graph::LayerKind kSparsityPenalty;
extern const graph::LayerKind kSum;
extern const graph::LayerKind kTanh;

// All of them, by ascending op.
std::span<const graph::LayerKind* const> catalog();

// The kind whose op is `op`, or null.
const graph::LayerKind* find(std::string_view op);

// "Add, AveragePool, …", for messages about an unknown operator.
std::string known_ops();

}  // namespace convoy::layers
