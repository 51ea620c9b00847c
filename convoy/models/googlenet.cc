// GoogLeNet, twice: nine inception modules, each four branches side by side (1x1; 1x1 and 3x3; 1x1 and 5x5;
// maximum and 1x1), then the mean of each map, dropout and one dense layer.
//
//   googlenet      one head, no response normalisation, as it is usually timed. 6,998,552 parameters.
//   googlenet-aux  what the paper trains: response normalisation behind pool1 and conv3x3, and behind the
//                  modules 4a and 4d a head each, whose loss counts 0.3 times. They feed nothing but the
//                  loss: prediction does not compute them. 13,378,280 parameters.
//
// The paper does not say how weights start: by He's rule, those of the last dense layers by Glorot's.
//
// Source: Szegedy et al., Going Deeper with Convolutions, 2015, table 1 and section 5.
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

// Channels of one module's branches; `before` is what stands in front of the larger filters.
struct Inception {
  const char* name;
  std::int64_t one, before_three, three, before_five, five, pool;
};

constexpr Inception kStage3[] = {{"3a", 64, 96, 128, 16, 32, 32}, {"3b", 128, 128, 192, 32, 96, 64}};
constexpr Inception kStage4[] = {{"4a", 192, 96, 208, 16, 48, 64},
                                 {"4b", 160, 112, 224, 24, 64, 64},
                                 {"4c", 128, 128, 256, 24, 64, 64},
                                 {"4d", 112, 144, 288, 32, 64, 64},
                                 {"4e", 256, 160, 320, 32, 128, 128}};
constexpr Inception kStage5[] = {{"5a", 256, 160, 320, 32, 128, 128}, {"5b", 384, 192, 384, 48, 128, 128}};

const layers::PoolOptions kHalving = {.kernel = 3, .stride = 2, .ceil_mode = true};

class Builder {
 public:
  Builder(const std::string& name, const ModelRequest& request, bool is_paper)
      : request_(request), net_(name, request.input_shape), is_paper_(is_paper) {}

  base::Result<graph::Graph> build() && {
    conv("conv7x7", 64, 7, 2);
    net_.max_pool("pool1", kHalving);
    normalise();
    conv("conv1x1", 64, 1);
    conv("conv3x3", 192, 3);
    normalise();
    net_.max_pool("pool2", kHalving);
    for (const Inception& module : kStage3) add(module);
    net_.max_pool("pool3", kHalving);
    for (const Inception& module : kStage4) {
      add(module);
      const std::string_view name = module.name;
      if (is_paper_ && (name == "4a" || name == "4d")) add_head(name);
    }
    net_.max_pool("pool4", kHalving);
    for (const Inception& module : kStage5) add(module);
    net_.global_average_pool("pool5").flatten("flatten").dropout(0.4);
    net_.gemm("fc", request_.classes, {.initialiser = "glorot"}).softmax_cross_entropy();
    return std::move(net_.class_names(request_.class_names)).build();
  }

 private:
  layers::Net& conv(const std::string& name, std::int64_t channels, std::int64_t kernel,
                    std::int64_t stride = 1) {
    return net_
        .conv(name, {.output_channels = scaled(request_, channels),
                     .kernel = kernel,
                     .stride = stride,
                     .pad = kernel / 2})
        .relu();
  }

  void normalise() {
    if (is_paper_) net_.lrn();
  }

  void add(const Inception& module) {
    const std::string name = module.name;
    const graph::ValueId input = net_.value();
    std::vector<graph::ValueId> branches;
    const auto end_branch = [&] {
      branches.push_back(net_.value());
      net_.from(input);
    };
    conv(name + "_1x1", module.one, 1);
    end_branch();
    conv(name + "_3x3_before", module.before_three, 1);
    conv(name + "_3x3", module.three, 3);
    end_branch();
    conv(name + "_5x5_before", module.before_five, 1);
    conv(name + "_5x5", module.five, 5);
    end_branch();
    net_.max_pool(name + "_pool", {.kernel = 3, .stride = 1, .pad = 1});
    conv(name + "_pool_1x1", module.pool, 1);
    end_branch();
    net_.concat(branches, name);
  }

  // The current value stays as it is.
  void add_head(std::string_view module) {
    const graph::ValueId trunk = net_.value();
    const std::string name = base::str("aux_", module);
    net_.average_pool(name + "_pool", {.kernel = 5, .stride = 3});
    conv(name + "_1x1", 128, 1);
    net_.flatten(name + "_flatten").gemm(name + "_fc1", scaled(request_, 1024)).relu();
    net_.dropout(0.7).gemm(name + "_fc2", request_.classes, {.initialiser = "glorot"});
    net_.auxiliary_softmax_cross_entropy(0.3, name + "_loss").from(trunk);
  }

  const ModelRequest& request_;
  layers::Net net_;
  bool is_paper_;
};

}  // namespace

base::Result<graph::Graph> build_googlenet(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 47;  // 24, 12, 6 after the first poolings, 3 before the last
  if (const auto verdict = check_image("googlenet", request, kLeast); !verdict) return verdict.reason();
  return Builder("googlenet", request, false).build();
}

base::Result<graph::Graph> build_googlenet_aux(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 79;  // 40, 20, 10, and 5 for the 5x5 means of the auxiliary heads
  if (const auto verdict = check_image("googlenet-aux", request, kLeast); !verdict) return verdict.reason();
  return Builder("googlenet-aux", request, true).build();
}

}  // namespace convoy::models
