#include "convoy/layers/net.h"

#include <algorithm>

#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

graph::AttributeValue flag(bool value) { return std::int64_t{value}; }

}  // namespace

Net::Net(std::string name, tensor::Shape sample_shape) : builder_(std::move(name), std::move(sample_shape)) {}

std::string Net::named(std::string name, const std::string& stem) {
  return name.empty() ? stem + std::to_string(++numbers_[stem]) : name;
}

std::vector<std::int64_t> Net::spread(const PerDimension& sizes, int copies) const {
  const int spatial = std::max(0, builder_.shape(current_).rank() - 2);
  std::vector<std::int64_t> all;
  for (int copy = 0; copy < copies; ++copy) {
    if (sizes.is_uniform)
      all.insert(all.end(), static_cast<std::size_t>(spatial), sizes.values[0]);
    else
      all.insert(all.end(), sizes.values.begin(), sizes.values.end());
  }
  return all;
}

Net& Net::apply(const graph::LayerKind& kind, std::string name, const graph::Attributes& attributes,
                std::vector<graph::ValueId> others) {
  others.insert(others.begin(), current_);
  current_ = builder_.add(kind, std::move(name), attributes, std::move(others));
  return *this;
}

Net& Net::conv(std::string name, const ConvOptions& options) {
  return apply(kConv, named(std::move(name), "conv"),
               {{"output_channels", options.output_channels},
                {"kernel_shape", spread(options.kernel)},
                {"strides", spread(options.stride)},
                {"pads", spread(options.pad, 2)},
                {"dilations", spread(options.dilation)},
                {"group", options.groups},
                {"has_bias", flag(options.bias)},
                {"auto_pad", options.auto_pad},
                {"initialiser", options.initialiser},
                {"bias_value", options.bias_value}});
}

Net& Net::gemm(std::string name, std::int64_t output_features, const GemmOptions& options) {
  return apply(kGemm, named(std::move(name), "fc"),
               {{"output_features", output_features},
                {"has_bias", flag(options.bias)},
                {"initialiser", options.initialiser},
                {"bias_value", options.bias_value}});
}

Net& Net::pool(const graph::LayerKind& kind, std::string name, const PoolOptions& options) {
  return apply(kind, named(std::move(name), "pool"),
               {{"kernel_shape", spread(options.kernel)},
                {"strides", spread(options.stride)},
                {"pads", spread(options.pad, 2)},
                {"ceil_mode", flag(options.ceil_mode)}});
}

Net& Net::max_pool(std::string name, const PoolOptions& options) {
  return pool(kMaxPool, std::move(name), options);
}
Net& Net::average_pool(std::string name, const PoolOptions& options) {
  return pool(kAveragePool, std::move(name), options);
}
Net& Net::global_average_pool(std::string name) {
  return apply(kGlobalAveragePool, named(std::move(name), "pool"), {});
}
Net& Net::relu(std::string name) { return apply(kRelu, named(std::move(name), "relu"), {}); }
Net& Net::leaky_relu(double alpha, std::string name) {
  return apply(kLeakyRelu, named(std::move(name), "relu"), {{"alpha", alpha}});
}
Net& Net::sigmoid(std::string name) { return apply(kSigmoid, named(std::move(name), "sigmoid"), {}); }
Net& Net::tanh(std::string name) { return apply(kTanh, named(std::move(name), "tanh"), {}); }
Net& Net::softmax(std::string name) { return apply(kSoftmax, named(std::move(name), "softmax"), {}); }
Net& Net::flatten(std::string name) { return apply(kFlatten, named(std::move(name), "flatten"), {}); }

Net& Net::reshape(const tensor::Shape& sample_shape, std::string name) {
  std::vector<std::int64_t> shape = {0};  // the batch
  shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
  return apply(kReshape, named(std::move(name), "reshape"), {{"shape", std::move(shape)}});
}

Net& Net::scale(double factor, std::string name) {
  return apply(kScale, named(std::move(name), "scale"), {{"factor", factor}});
}

Net& Net::gather(std::vector<std::int64_t> channels, std::string name) {
  return apply(kGather, named(std::move(name), "gather"), {{"indices", std::move(channels)}});
}

Net& Net::pad_channels(std::int64_t before, std::int64_t behind, std::string name) {
  const auto rank = static_cast<std::size_t>(std::max(2, builder_.shape(current_).rank()));
  std::vector<std::int64_t> pads(2 * rank, 0);
  pads[1] = before;
  pads[rank + 1] = behind;
  return apply(kPad, named(std::move(name), "pad"), {{"pads", std::move(pads)}});
}

Net& Net::dropout(double ratio, std::string name) {
  return apply(kDropout, named(std::move(name), "dropout"), {{"ratio", ratio}});
}

Net& Net::lrn(const LrnOptions& options, std::string name) {
  return apply(
      kLrn, named(std::move(name), "lrn"),
      {{"size", options.size}, {"alpha", options.alpha}, {"beta", options.beta}, {"bias", options.bias}});
}

Net& Net::batch_norm(const BatchNormOptions& options, std::string name) {
  return apply(kBatchNormalization, named(std::move(name), "bn"),
               {{"epsilon", options.epsilon},
                {"momentum", options.momentum},
                {"statistics_samples", options.statistics_samples},
                {"scale_value", options.scale_value}});
}

Net& Net::add(graph::ValueId other, std::string name) {
  return apply(kAdd, named(std::move(name), "add"), {}, {other});
}

Net& Net::concat(std::vector<graph::ValueId> values, std::string name) {
  current_ =
      builder_.add(kConcat, named(std::move(name), "concat"), {{"axis", std::int64_t{1}}}, std::move(values));
  return *this;
}

Net& Net::softmax_cross_entropy(std::string name) {
  const graph::ValueId labels = builder_.labels();
  output();
  return apply(kSoftmaxCrossEntropyLoss, name, {}, {labels}).minimise(name);
}

Net& Net::mean_squared_error(graph::ValueId target, std::string name) {
  output();
  return apply(kMeanSquaredError, name, {}, {target}).minimise(name);
}

Net& Net::auxiliary_softmax_cross_entropy(double weight, const std::string& name) {
  return apply(kSoftmaxCrossEntropyLoss, name, {}, {builder_.labels()}).auxiliary_loss(weight, name);
}

Net& Net::auxiliary_loss(double weight, const std::string& name) {
  if (weight != 1) scale(weight, name + "_weighted");
  auxiliary_losses_.push_back(current_);
  return *this;
}

Net& Net::minimise(const std::string& name) {
  if (!auxiliary_losses_.empty()) apply(kSum, name + "_total", {}, auxiliary_losses_);
  builder_.set_loss(current_);
  return *this;
}

Net& Net::output() {
  builder_.set_output(current_);
  return *this;
}

Net& Net::class_names(std::vector<std::string> names) {
  builder_.set_class_names(std::move(names));
  return *this;
}

Net& Net::from(graph::ValueId value) {
  current_ = value;
  return *this;
}

tensor::Shape Net::sample_shape() const {
  const tensor::Shape shape = builder_.shape(current_);
  if (shape.rank() == 0) return shape;
  return tensor::Shape(std::vector<std::int64_t>(shape.begin() + 1, shape.end()));
}

base::Result<graph::Graph> Net::build() && { return std::move(builder_).build(); }

}  // namespace convoy::layers
