// LocallyConnected and LocallyConnectedAutoencoder in float32. Samples are turned to lie innermost, as
// vectors of which every place takes what its field holds; then results are turned back.
#include "convoy/kernels/cost.h"
#include "convoy/kernels/cpu/entries.h"
#include "convoy/kernels/cpu/local_products.h"
#include "convoy/kernels/cpu/simd.h"
#include "convoy/kernels/cpu/turn.h"

namespace convoy::kernels::cpu {
namespace {

constexpr std::int64_t kFloatBytes = static_cast<std::int64_t>(sizeof(float));

bool is_autoencoder(const Problem& problem) { return problem.kind->op == "LocallyConnectedAutoencoder"; }

layers::Window window_of(const Problem& problem) {
  graph::Attributes attributes = problem.attributes;
  if (is_autoencoder(problem)) {
    for (const char* standard : {"strides", "pads"}) attributes.set(standard, std::vector<std::int64_t>{});
    attributes.set("auto_pad", std::string("SAME_UPPER"));
  }
  return layers::resolve_window(attributes, problem.inputs[0]).value();
}

LocalProducts products_of(const Problem& problem) {
  return {window_of(problem), problem.inputs[0][1], problem.attributes.integer("output_channels"),
          problem.inputs[0][0]};
}

// The first `rows` floats of each sample of an array.
Turn turn_of(const tensor::Shape& shape, std::int64_t rows) {
  return {.samples = shape[0], .rows = rows, .stride = shape.count_from(1)};
}

// `images` and as many codes in the workspace.
KernelTraits traits_of(const Problem& problem, const LocalProducts& products, int images, bool reads_input) {
  KernelTraits traits;
  traits.inputs.resize(1);
  traits.params.resize(problem.params.size());
  traits.outputs.resize(1);
  traits.reads_inputs = {reads_input};
  traits.reads_outputs = {false};
  traits.workspace_bytes =
      images * (products.image_rows() + products.code_rows()) * products.row() * kFloatBytes;
  return traits;
}

const float* floats(const void* pointer) { return static_cast<const float*>(pointer); }
float* floats(void* pointer) { return static_cast<float*>(pointer); }

class LocallyConnected final : public Kernel {
 public:
  explicit LocallyConnected(const Problem& problem)
      : pass_(problem.pass),
        has_bias_(problem.params.size() > 1),
        products_(products_of(problem)),
        image_(turn_of(problem.inputs[0], products_.image_rows())),
        code_(turn_of(problem.outputs[0], products_.code_rows())),
        traits_(traits_of(problem, products_, 1, pass_ == Pass::backward_weights)) {}

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    float* xt = floats(args.workspace);
    float* yt = xt + image_.rows * products_.row();
    if (pass_ == Pass::forward) {
      turn_in(image_, floats(args.inputs[0]), xt);
      products_.encode(xt, floats(args.params[0]), has_bias_ ? floats(args.params[1]) : nullptr,
                       /*accumulate=*/false, yt);
      turn_out(code_, yt, floats(args.outputs[0]));
      return;
    }
    turn_in(code_, floats(args.output_gradients[0]), yt);
    if (pass_ == Pass::backward_data) {
      products_.decode(yt, floats(args.params[0]), xt);
      turn_out(image_, xt, floats(args.input_gradients[0]));
      return;
    }
    turn_in(image_, floats(args.inputs[0]), xt);
    products_.weigh(xt, yt, /*accumulate=*/false, floats(args.param_gradients[0]));
    if (has_bias_) products_.sum_samples(yt, floats(args.param_gradients[1]));
  }

 private:
  Pass pass_;
  bool has_bias_;
  LocalProducts products_;
  Turn image_, code_;
  KernelTraits traits_;
};

// See the layer for the equations: forward a code and its reconstruction, backward four products in one pass.
class Autoencoder final : public Kernel {
 public:
  explicit Autoencoder(const Problem& problem)
      : is_forward_(problem.pass == Pass::forward),
        products_(products_of(problem)),
        image_(turn_of(problem.inputs[0], products_.image_rows())),
        code_(turn_of(problem.outputs[0], products_.code_rows())),
        back_(turn_of(problem.outputs[0], products_.image_rows())),
        traits_(traits_of(problem, products_, is_forward_ ? 1 : 2, !is_forward_)) {}

  const KernelTraits& traits() const override { return traits_; }
  std::string implementation() const override { return simd_target(); }

  void run(const KernelArgs& args) const noexcept override {
    float* xt = floats(args.workspace);
    float* code = xt + image_.rows * products_.row();
    const float* w = floats(args.params[0]);
    turn_in(image_, floats(args.inputs[0]), xt);
    products_.encode(xt, w, nullptr, /*accumulate=*/false, code);
    if (!is_forward_) return differentiate(args, xt, code);
    float* y = floats(args.outputs[0]);
    turn_out(code_, code, y);
    products_.decode(code, w, xt);
    turn_out(back_, xt, y + code_.rows);
  }

 private:
  void differentiate(const KernelArgs& args, float* xt, const float* code) const {
    const float *w = floats(args.params[0]), *dy = floats(args.output_gradients[0]);
    float* back = xt + (image_.rows + code_.rows) * products_.row();
    float* error = back + image_.rows * products_.row();
    turn_in(code_, dy, error);
    turn_in(back_, dy + code_.rows, back);
    products_.encode(back, w, nullptr, /*accumulate=*/true, error);
    if (float* dw = floats(args.param_gradients[0]); dw != nullptr) {
      products_.weigh(xt, error, /*accumulate=*/false, dw);
      products_.weigh(back, code, /*accumulate=*/true, dw);
    }
    float* dx = floats(args.input_gradients[0]);
    if (dx == nullptr) return;
    products_.decode(error, w, xt);
    turn_out(image_, xt, dx);
  }

  bool is_forward_;
  LocalProducts products_;
  Turn image_, code_, back_;  // of x and dx; of the two parts of y and dy
  KernelTraits traits_;
};

base::Verdict supports(const Problem& problem) {
  if (problem.type != tensor::DType::f32)
    return base::Reason{base::str("only f32, not ", tensor::name(problem.type))};
  if (problem.epilogue != Epilogue::none) return base::Reason{"no relu behind local fields"};
  if (problem.family != LayoutFamily::plain)
    return base::Reason{base::str("only plain layout, not ", name(problem.family))};
  if (problem.inputs[0].count_from(2) > (std::int64_t{1} << 31) - 1)
    return base::Reason{"only images below 2^31 pixels"};
  return {};
}

// Chains of sums: of C R S terms forward and a bias; of K R S for the input; of N for the weights.
double growth(const Problem& problem) {
  const auto samples = static_cast<double>(problem.inputs[0][0]);
  const auto field = static_cast<double>(window_of(problem).kernel_count());
  const double encode = static_cast<double>(problem.inputs[0][1]) * field + 1;
  const double decode = static_cast<double>(problem.attributes.integer("output_channels")) * field;
  if (is_autoencoder(problem)) return sum_error_growth(encode + decode + 2 * samples + 3);
  if (problem.pass == Pass::forward) return sum_error_growth(encode);
  return sum_error_growth(problem.pass == Pass::backward_data ? decode : samples);
}

template <class Implementation>
KernelEntry entry(std::string_view op) {
  return {.name = "simd",
          .op = op,
          .supports = supports,
          .make = [](const Problem& problem) -> std::unique_ptr<Kernel> {
            return std::make_unique<Implementation>(problem);
          },
          .seconds = [](const Problem& problem,
                        const machine::Machine& machine) { return roofline_seconds(problem, machine, 0.3); },
          .error_growth = growth};
}

}  // namespace

KernelEntry locally_connected_entry() { return entry<LocallyConnected>("LocallyConnected"); }
KernelEntry locally_connected_autoencoder_entry() {
  return entry<Autoencoder>("LocallyConnectedAutoencoder");
}

}  // namespace convoy::kernels::cpu
