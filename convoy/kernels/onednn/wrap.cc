#include <algorithm>
#include <numeric>

#include "convoy/base/check.h"
#include "convoy/kernels/bf16.h"
#include "convoy/kernels/layout_map.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

constexpr std::int64_t kAlignment_bytes = 64;

dnnl::memory::data_type data_type(tensor::DType type) {
  CONVOY_CHECK(type == tensor::DType::f32 || type == tensor::DType::bf16, tensor::name(type));
  return type == tensor::DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

// The descriptor with these sizes and dense, row-major or blocked, strides of the map.
Desc from_map(const LayoutMap& map, tensor::DType type) {
  dnnl_memory_desc_t data{};
  data.ndims = static_cast<int>(map.dims().size());
  data.data_type = static_cast<dnnl_data_type_t>(data_type(type));
  data.format_kind = dnnl_blocked;
  std::copy(map.dims().begin(), map.dims().end(), data.dims);
  std::copy(map.padded_dims().begin(), map.padded_dims().end(), data.padded_dims);
  dnnl_blocking_desc_t& blocking = data.format_desc.blocking;
  std::copy(map.strides().begin(), map.strides().end(), blocking.strides);
  blocking.inner_nblks = static_cast<int>(map.blocks().size());
  for (std::size_t b = 0; b < map.blocks().size(); ++b) {
    blocking.inner_blks[b] = map.blocks()[b].size;
    blocking.inner_idxs[b] = map.blocks()[b].dimension;
  }
  return Desc(data);
}

// Dimensions from the outermost to the innermost; among equal strides those of size 1 stand outside, which
// changes no position.
std::vector<int> outer_order(const dnnl_memory_desc_t& data) {
  std::vector<int> order(static_cast<std::size_t>(data.ndims));
  std::iota(order.begin(), order.end(), 0);
  const dnnl_dim_t* strides = data.format_desc.blocking.strides;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if (strides[a] != strides[b]) return strides[a] > strides[b];
    return data.padded_dims[a] == 1 && data.padded_dims[b] != 1;
  });
  return order;
}

std::string tag_of(const dnnl_memory_desc_t& data) {
  const dnnl_blocking_desc_t& blocking = data.format_desc.blocking;
  std::vector<bool> split(static_cast<std::size_t>(data.ndims), false);
  std::string inner, outer;
  for (int b = 0; b < blocking.inner_nblks; ++b) {
    split[static_cast<std::size_t>(blocking.inner_idxs[b])] = true;
    inner += std::to_string(blocking.inner_blks[b]) + static_cast<char>('a' + blocking.inner_idxs[b]);
  }
  for (const int d : outer_order(data))
    outer += static_cast<char>((split[static_cast<std::size_t>(d)] ? 'A' : 'a') + d);
  return outer + inner;
}

// Whether a layout puts each element where the descriptor does: along each axis, since both are sums of
// one function a dimension.
bool same_places(const LayoutMap& map, const Desc& desc) {
  const auto& blocking = desc.data.format_desc.blocking;
  const std::size_t element_bytes = dnnl::memory::data_type_size(desc.data_type());
  if (static_cast<std::size_t>(map.count()) * element_bytes != desc.get_size()) return false;
  if (static_cast<std::size_t>(blocking.inner_nblks) != map.blocks().size()) return false;
  for (int d = 0; d < desc.data.ndims; ++d) {
    const auto at = static_cast<std::size_t>(d);
    if (map.padded_dims()[at] != desc.data.padded_dims[d]) return false;
    if (map.dims()[at] > 1 && map.strides()[at] != blocking.strides[d]) return false;
  }
  return true;
}

class PrimitiveKernel final : public Kernel {
 public:
  explicit PrimitiveKernel(Recipe recipe) : recipe_(std::move(recipe)) {}

  const KernelTraits& traits() const override { return recipe_.traits; }
  std::string implementation() const override { return recipe_.implementation; }
  void run(const KernelArgs& args) const noexcept override {
    if (!args.derived_valid)
      for (Call& call : recipe_.derivation) call.run(args);
    for (Call& call : recipe_.calls) call.run(args);
  }

 private:
  mutable Recipe recipe_;  // a run binds pointers into the memory objects; one call at a time
};

void* pointer(const KernelArgs& args, const Source& source) {
  switch (source.kind) {
    case Source::Kind::input:
      return const_cast<void*>(args.inputs[source.index]);
    case Source::Kind::param:
      return const_cast<void*>(args.params[source.index]);
    case Source::Kind::output:
      return args.outputs[source.index];
    case Source::Kind::next_state:
      return args.next_state[source.index];
    case Source::Kind::output_gradient:
      return const_cast<void*>(args.output_gradients[source.index]);
    case Source::Kind::input_gradient:
      return args.input_gradients[source.index];
    case Source::Kind::param_gradient:
      return args.param_gradients[source.index];
    case Source::Kind::saved:
      return static_cast<std::byte*>(args.saved) + source.bytes;
    case Source::Kind::workspace:
      return static_cast<std::byte*>(args.workspace) + source.bytes;
    case Source::Kind::derived:
      return static_cast<std::byte*>(args.derived) + source.bytes;
  }
  return nullptr;
}

}  // namespace

dnnl::memory::dims dims(const tensor::Shape& shape) {
  return shape.rank() == 0 ? dnnl::memory::dims{1} : shape.sizes();
}

Desc desc(const tensor::Shape& shape, const Layout& layout, tensor::DType type) {
  return from_map(LayoutMap(shape.rank() == 0 ? tensor::Shape{1} : shape, layout), type);
}

Desc grouped_desc(const tensor::Shape& shape, std::int64_t groups, tensor::DType type) {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes[0] /= groups;
  sizes.insert(sizes.begin(), groups);
  return desc(tensor::Shape(std::move(sizes)), Layout::plain(), type);
}

Desc any_desc(const dnnl::memory::dims& sizes, tensor::DType type) {
  return Desc(sizes, data_type(type), dnnl::memory::format_tag::any);
}

Desc activation_desc(const Problem& problem, const tensor::Shape& shape) {
  return desc(shape, family_layout(shape.rank(), problem.family), problem.type);
}

std::optional<Layout> layout_of(const tensor::Shape& shape, const Desc& desc) {
  if (desc.data.format_kind != dnnl_blocked || desc.data.extra.flags != 0 || desc.data.offset0 != 0)
    return std::nullopt;
  std::string tag = tag_of(desc.data);
  if (desc.data.ndims == shape.rank() + 1)
    tag = base::str('g', desc.data.dims[0], ':', tag);
  else if (desc.data.ndims != std::max(shape.rank(), 1))
    return std::nullopt;
  if (shape.rank() == 0) return Layout::plain();
  const auto layout = Layout::parse(tag, shape.rank());
  if (!layout) return std::nullopt;
  // A row-major tag of grouped filters is plain and has lost the group's own dimension.
  if (!layout->is_plain() && !same_places(LayoutMap(shape, *layout), desc)) return std::nullopt;
  return canonical(shape, *layout);
}

Call& Call::add(int argument, const Desc& desc, Source source) {
  memories_.emplace_back(desc, engine_.engine, nullptr);
  arguments_.push_back({argument, memories_.back().get()});
  sources_.push_back(source);
  bound_.push_back(nullptr);
  return *this;
}

// A handle is set only where the pointer has changed: setting one also clears the padding of the array, and
// the memory plan gives the same pointers step after step.
void Call::run(const KernelArgs& args) noexcept {
  for (std::size_t i = 0; i < arguments_.size(); ++i) {
    void* data = pointer(args, sources_[i]);
    if (data == bound_[i]) continue;
    const dnnl_status_t status = dnnl_memory_set_data_handle(arguments_[i].memory, data);
    CONVOY_CHECK(status == dnnl_success, "oneDNN status ", static_cast<int>(status));
    bound_[i] = data;
  }
  const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), engine_.stream.get(),
                                                      static_cast<int>(arguments_.size()), arguments_.data());
  CONVOY_CHECK(status == dnnl_success, "oneDNN status ", static_cast<int>(status));
}

std::unique_ptr<Kernel> make_kernel(Recipe recipe) {
  return std::make_unique<PrimitiveKernel>(std::move(recipe));
}

dnnl::primitive_attr attributes(Epilogue epilogue) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (epilogue == Epilogue::relu) {
    dnnl::post_ops post;
    post.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    attr.set_post_ops(post);
  }
  return attr;
}

void add_scratchpad(Recipe& recipe, Call& call, const Desc& scratchpad) {
  if (scratchpad.get_size() == 0) return;
  // Calls run one after another and share the scratch from offset 0 on; what must survive a call is placed
  // by its family behind all scratch.
  call.add(DNNL_ARG_SCRATCHPAD, scratchpad, {.kind = Source::Kind::workspace});
  const auto bytes = static_cast<std::int64_t>(scratchpad.get_size());
  recipe.traits.workspace_bytes = std::max(
      recipe.traits.workspace_bytes, (bytes + kAlignment_bytes - 1) / kAlignment_bytes * kAlignment_bytes);
}

KernelTraits plain_traits(const Problem& problem) {
  KernelTraits traits;
  traits.inputs.resize(problem.inputs.size());
  traits.params.resize(problem.params.size());
  traits.outputs.resize(problem.outputs.size());
  traits.reads_inputs.assign(problem.inputs.size(), false);
  traits.reads_outputs.assign(problem.outputs.size(), false);
  return traits;
}

std::vector<tensor::DType> weight_read_as(const Problem& problem) {
  std::vector<tensor::DType> types(problem.params.size(), master_type(problem.type));
  types[0] = problem.type;
  return types;
}

base::Verdict check_common(const Problem& problem, const Offer& offer) {
  if (problem.type == tensor::DType::bf16 && offer.bf16) {
    if (base::Verdict verdict = check_bf16_products(); !verdict) return verdict;
  } else if (problem.type != tensor::DType::f32) {
    return base::Reason{base::str("oneDNN computes ", problem.kind->op,
                                  offer.bf16 ? " in f32 and bf16" : " in f32", ", not ",
                                  tensor::name(problem.type))};
  }
  if (problem.family == LayoutFamily::batch_blocked && problem.inputs[0].rank() > 2)
    return base::Reason{"oneDNN has no fast kernels for samples in blocks"};
  if (problem.epilogue == Epilogue::none) return {};
  if (problem.pass != Pass::forward) return base::Reason{"a backward pass has no epilogue"};
  if (!offer.relu_epilogue) return base::Reason{base::str("oneDNN fuses no relu behind ", problem.kind->op)};
  return {};
}

}  // namespace convoy::kernels::onednn
