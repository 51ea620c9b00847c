// The sparse autoencoder with local receptive fields: nine layers, three a level.
//
//   filter      linear, 7x7 fields around each pixel over all maps below, 8 maps
//   pool        the 2-norm of 5x5 codes of a map, every second in each direction
//   normalise   local contrast normalisation 5x5 over all maps; the next level sees this, and the last one's
//   is
//               the output
//
// No labels: each level has a decoder, of which the output knows nothing, and what is minimised is the sum
// over the levels of
//
//   1/E ( |decode(filter(x)) - x|^2 + 0.1 * sum over pooled codes z of sqrt(1e-4 + z^2) )
//
// for the E elements of what the level sees. `depth` counts levels, all trained jointly, `width` scales the 8
// maps. Filters are untied (each place has its own) and so is the decoder: sparse-autoencoder, as Le et al.
// have it. In sparse-autoencoder-tied the decoder is the filters' transpose, as Coates et al. have it; in
// sparse-autoencoder-conv all places share their filters, which are convolutions.
//
// Not as in the papers: fields of 18x18 and more on frames of 200x200 are 7x7 here, a pixel apart; they and
// the pools are centred on pixels and see zeros beyond the border; rows of the tied filters are not scaled to
// norm 1.
//
// Parameters at 1x28x28: 49 * 8 * (784 + 8 * 196 + 8 * 49) = 1,075,648 tied, and twice that, 2,151,296,
// untied; convolutional 2 * 49 * 8 * 17 = 13,328. There are no biases.
// Sources: Le, Ranzato, Monga, Devin, Chen, Corrado, Dean, Ng, Building High-Level Features Using Large Scale
// Unsupervised Learning, 2012, section 3; Coates, Huval, Wang, Wu, Ng, Catanzaro, Deep Learning with COTS HPC
// Systems, 2013, section 3.
#include <numeric>

#include "convoy/layers/catalog.h"
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

constexpr std::int64_t kMaps = 8, kField = 7, kPool = 5, kPoolStride = 2;
constexpr double kSparsity = 0.1;

enum class Weights : std::uint8_t { untied, tied, convolutional };

graph::Attributes fields(std::int64_t maps) {
  return {{"kernel_shape", std::vector<std::int64_t>(2, kField)},
          {"initialiser", std::string("glorot")},
          {"output_channels", maps}};
}

// The channels from `first` on, `count` of them.
graph::ValueId channels(layers::Net& net, graph::ValueId from, std::int64_t first, std::int64_t count,
                        const std::string& name) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  return net.from(from).gather(std::move(indices), name).value();
}

// One layer of filters of the current value, `maps` of them, with weights of its own.
graph::ValueId filter(layers::Net& net, const std::string& name, std::int64_t maps, Weights weights) {
  if (weights == Weights::convolutional)
    return net
        .conv(name, {.output_channels = maps,
                     .kernel = kField,
                     .bias = false,
                     .auto_pad = "SAME_UPPER",
                     .initialiser = "glorot"})
        .value();
  graph::Attributes attributes = fields(maps);
  attributes.set("auto_pad", std::string("SAME_UPPER"));
  attributes.set("has_bias", std::int64_t{0});
  return net.apply(layers::kLocallyConnected, name, attributes).value();
}

// The code of the current value, and what is made of it again.
struct Autoencoding {
  graph::ValueId code, reconstruction;
};

Autoencoding autoencode(layers::Net& net, const std::string& level, std::int64_t maps, Weights weights) {
  const std::int64_t seen = net.sample_shape()[0];
  if (weights != Weights::tied) {
    const graph::ValueId code = filter(net, "filter" + level, maps, weights);
    return {code, filter(net, "decode" + level, seen, weights)};
  }
  const graph::ValueId both =
      net.apply(layers::kLocallyConnectedAutoencoder, "autoencode" + level, fields(maps)).value();
  const graph::ValueId code = channels(net, both, 0, maps, "filter" + level);
  return {code, channels(net, both, maps, seen, "decode" + level)};
}

base::Result<graph::Graph> build(const std::string& name, const ModelRequest& request, Weights weights) {
  if (const auto verdict = check_image(name, request, kField); !verdict) return verdict.reason();
  layers::Net net(base::str(name, request.depth), request.input_shape);
  graph::ValueId error = -1;
  for (std::int64_t i = 1; i <= request.depth; ++i) {
    const std::string level = std::to_string(i);
    const graph::ValueId seen = net.value();
    const auto elements = static_cast<double>(net.sample_shape().count());
    const Autoencoding found = autoencode(net, level, scaled(request, kMaps), weights);
    net.from(found.reconstruction).apply(layers::kMeanSquaredError, "error" + level, {}, {seen});
    if (i == 1)
      error = net.value();
    else
      net.auxiliary_loss(1, "error" + level);
    net.from(found.code)
        .apply(layers::kLpPool, "pool" + level,
               {{"kernel_shape", std::vector<std::int64_t>(2, kPool)},
                {"strides", std::vector<std::int64_t>(2, kPoolStride)},
                {"pads", std::vector<std::int64_t>(4, kPool / 2)}});
    const graph::ValueId pooled = net.value();
    const auto units = static_cast<double>(net.sample_shape().count());
    net.apply(layers::kSparsityPenalty, "sparsity" + level, {})
        .auxiliary_loss(kSparsity * units / elements, "sparsity" + level);
    net.from(pooled).apply(layers::kLocalContrastNormalization, "normalise" + level, {});
  }
  return std::move(net.output().from(error).minimise()).build();
}

}  // namespace

base::Result<graph::Graph> build_sparse_autoencoder(const ModelRequest& request) {
  return build("sparse-autoencoder", request, Weights::untied);
}

base::Result<graph::Graph> build_sparse_autoencoder_conv(const ModelRequest& request) {
  return build("sparse-autoencoder-conv", request, Weights::convolutional);
}

base::Result<graph::Graph> build_sparse_autoencoder_tied(const ModelRequest& request) {
  return build("sparse-autoencoder-tied", request, Weights::tied);
}

}  // namespace convoy::models
