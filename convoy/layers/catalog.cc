#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

constexpr const graph::LayerKind* kCatalog[] = {
    &kAdd,
    &kAveragePool,
    &kBatchNormalization,
    &kConcat,
    &kConv,
    &kDropout,
    &kFlatten,
    &kGather,
    &kGemm,
    &kGlobalAveragePool,
    &kLrn,
    &kLeakyRelu,
    &kLocalContrastNormalization,
    &kLocallyConnected,
    &kLocallyConnectedAutoencoder,
    &kLogSoftmax,
    &kLpPool,
    &kMaxPool,
    &kMeanSquaredError,
    &kMul,
    &kPad,
    &kParameter,
    &kRadialBasis,
    &kRelu,
    &kReshape,
    &kScale,
    &kSigmoid,
    &kSoftmax,
    &kSoftmaxCrossEntropyLoss,
    &kSparsityPenalty,
    &kSum,
    &kTanh,
};

}  // namespace

std::span<const graph::LayerKind* const> catalog() { return kCatalog; }

const graph::LayerKind* find(std::string_view op) {
  for (const graph::LayerKind* kind : kCatalog)
    if (kind->op == op) return kind;
  return nullptr;
}

std::string known_ops() {
  std::string names;
  for (const graph::LayerKind* kind : kCatalog) {
    names += names.empty() ? "" : ", ";
    names += kind->op;
  }
  return names;
}

}  // namespace convoy::layers
