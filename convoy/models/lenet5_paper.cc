// LeNet-5 of 1998. 60,000 parameters at 1x28x28.
//
// As in the paper: six maps 5x5 (C1) on digits of 28x28 inside 32x32; means of 2x2, each map times a learned
// coefficient plus a learned bias (S2, S4); sixteen maps 5x5 that see three, four or six of the six before,
// by the paper's table 1 (C3); 120 maps as large as what they see (C5), 84 units (F6); behind each of
// them 1.7159 tanh(2/3 a); ten Euclidean radial basis functions around fixed codes of +1 and -1, drawn as the
// digits on 7x12 pixels; the discriminative criterion, equation 9, as softmax cross entropy of minus the
// distances.
//
// Not as in the paper: the codes are our own drawings; the criterion lacks its constant for what is no digit;
// S2 and S4 take the mean and not the sum, which is a quarter of the coefficient; they start at 1, and the
// weights from a normal distribution with the deviation of the paper's uniform one, 2.4 over the inputs of a
// unit; it is trained by whichever update rule is asked for, not by the paper's diagonal second derivatives.
// Source: LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, 1998,
// section II.
#include <array>
#include <cmath>
#include <string_view>

#include "convoy/layers/catalog.h"
#include "convoy/layers/net.h"
#include "convoy/models/kinds.h"

namespace convoy::models {
namespace {

constexpr std::int64_t kFeatures = 84;  // 7 x 12

// Rows of the ten drawings, side by side; '#' is +1.
constexpr std::array<std::string_view, 12> kDrawings = {
    " ##### |   #   | ##### | ##### |    ## |#######|  #### |#######| ##### | ##### ",
    "##   ##|  ##   |##   ##|##   ##|   ### |##     | ##    |     ##|##   ##|##   ##",
    "##   ##| ###   |##   ##|     ##|  # ## |##     |##     |     ##|##   ##|##   ##",
    "##   ##|  ##   |     ##|     ##|  # ## |##     |##     |    ## |##   ##|##   ##",
    "##   ##|  ##   |     ##|     ##| ## ## |###### |###### |    ## | ## ## | ######",
    "##   ##|  ##   |    ## |  #### | #  ## |     ##|##   ##|   ##  | ##### | ######",
    "##   ##|  ##   |   ##  |  #### |##  ## |     ##|##   ##|   ##  | ## ## |     ##",
    "##   ##|  ##   |  ##   |     ##|#######|     ##|##   ##|   ##  |##   ##|     ##",
    "##   ##|  ##   | ##    |     ##|    ## |     ##|##   ##|  ##   |##   ##|     ##",
    "##   ##|  ##   |##     |     ##|    ## |##   ##|##   ##|  ##   |##   ##|    ## ",
    "##   ##|  ##   |##     |##   ##|    ## |##   ##|##   ##|  ##   |##   ##|   ##  ",
    " ##### |###### |#######| ##### |    ## | ##### | ##### |  ##   | ##### | ###   ",
};

std::vector<std::int64_t> codes() {
  std::vector<std::int64_t> all;
  for (std::size_t digit = 0; digit < 10; ++digit)
    for (const std::string_view row : kDrawings)
      for (std::size_t column = 0; column < 7; ++column)
        all.push_back(row[8 * digit + column] == '#' ? 1 : -1);
  return all;
}

// Table 1 of the paper: what the maps of C3 see, by the number that they see.
const std::vector<std::int64_t> kThree = {0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 0, 4, 5, 0, 1, 5};
const std::vector<std::int64_t> kFour = {0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 0, 3, 4, 5, 0, 1,
                                         4, 5, 0, 1, 2, 5, 0, 1, 3, 4, 1, 2, 4, 5, 0, 2, 3, 5};

std::string start(std::int64_t inputs) {
  return base::str("gaussian:", 2.4 / (std::sqrt(3.0) * static_cast<double>(inputs)));
}

layers::Net& squash(layers::Net& net) { return net.scale(2.0 / 3).tanh().scale(1.7159); }

layers::Net& subsample(layers::Net& net, const std::string& name) {
  const std::int64_t maps = net.sample_shape()[0];
  net.average_pool(name + "_mean", {});
  net.conv(name, {.output_channels = maps, .groups = maps, .initialiser = "constant:1"});
  return squash(net);
}

// C3: groups of maps that see equally many, and the one that sees all.
void connect_partially(layers::Net& net) {
  const graph::ValueId maps = net.value();
  std::vector<graph::ValueId> parts;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& seen, std::int64_t each) {
    const std::int64_t outputs = static_cast<std::int64_t>(seen.size()) / each;
    net.from(maps).gather(seen, name + "_maps");
    net.conv(name,
             {.output_channels = outputs, .kernel = 5, .groups = outputs, .initialiser = start(25 * each)});
    parts.push_back(net.value());
  };
  add("c3_of3", kThree, 3);
  add("c3_of4", kFour, 4);
  net.from(maps).conv("c3_of6", {.output_channels = 1, .kernel = 5, .initialiser = start(150)});
  parts.push_back(net.value());
  net.concat(parts, "c3");
}

base::Verdict check(const ModelRequest& request) {
  constexpr std::int64_t kLeast = 12;  // 6 after S2, 2 after C3, 1 after S4
  if (const auto verdict = check_image("lenet5-paper", request, kLeast); !verdict) return verdict;
  if (request.classes != 10)
    return base::Reason{base::str("model lenet5-paper: its output codes are of the ten digits, not of ",
                                  request.classes, " classes; take lenet5")};
  if (request.width != 1)
    return base::Reason{
        "model lenet5-paper: the paper's table of connections has no other width; take lenet5"};
  return {};
}

}  // namespace

base::Result<graph::Graph> build_lenet5_paper(const ModelRequest& request) {
  if (const auto verdict = check(request); !verdict) return verdict.reason();
  layers::Net net("lenet5-paper", request.input_shape);
  net.conv("c1",
           {.output_channels = 6, .kernel = 5, .pad = 2, .initialiser = start(25 * request.input_shape[0])});
  squash(net);
  subsample(net, "s2");
  connect_partially(net);
  squash(net);
  subsample(net, "s4").flatten("flatten");
  net.gemm("c5", 120, {.initialiser = start(net.sample_shape().count())});
  squash(net).gemm("f6", kFeatures, {.initialiser = start(120)});
  squash(net).apply(layers::kRadialBasis, "rbf", {{"centres", codes()}}).softmax_cross_entropy();
  return std::move(net.class_names(request.class_names)).build();
}

}  // namespace convoy::models
