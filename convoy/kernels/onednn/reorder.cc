#include "convoy/kernels/onednn/reorder.h"

#include "convoy/base/check.h"
#include "convoy/kernels/layout_map.h"
#include "convoy/kernels/onednn/wrap-inl.h"

namespace convoy::kernels::onednn {
namespace {

class Reorder final : public Converter {
 public:
  Reorder(const Desc& from, const Desc& to)
      : from_(from, engine_.engine, nullptr), to_(to, engine_.engine, nullptr) {
    const dnnl::reorder::primitive_desc description(engine_.engine, from, engine_.engine, to);
    primitive_ = dnnl::reorder(description);
    arguments_[0] = {DNNL_ARG_FROM, from_.get()};
    arguments_[1] = {DNNL_ARG_TO, to_.get()};
  }

  void run(const void* from, void* to) const noexcept override {
    bind(arguments_[0].memory, bound_[0], const_cast<void*>(from));
    bind(arguments_[1].memory, bound_[1], to);
    const dnnl_status_t status =
        dnnl_primitive_execute(primitive_.get(), engine_.stream.get(), 2, arguments_);
    CONVOY_CHECK(status == dnnl_success, "oneDNN status ", static_cast<int>(status));
  }

 private:
  static void bind(dnnl_memory_t memory, void*& bound, void* data) {
    if (bound == data) return;
    const dnnl_status_t status = dnnl_memory_set_data_handle(memory, data);
    CONVOY_CHECK(status == dnnl_success, "oneDNN status ", static_cast<int>(status));
    bound = data;
  }

  Engine engine_;
  dnnl::memory from_;
  dnnl::memory to_;
  dnnl::primitive primitive_;
  dnnl_exec_arg_t arguments_[2] = {};
  mutable void* bound_[2] = {nullptr, nullptr};
};

std::optional<dnnl_data_type_t> reorder_type(tensor::DType type) {
  switch (type) {
    case tensor::DType::f32:
      return dnnl_f32;
    case tensor::DType::i32:
      return dnnl_s32;
    case tensor::DType::bf16:
      return dnnl_bf16;
    default:
      return std::nullopt;
  }
}

// A plain side takes the other side's view of the shape, in which grouped filters have one dimension more.
Desc side(const Conversion& conversion, const Layout& layout, const Layout& other, dnnl_data_type_t type) {
  const std::int64_t groups = LayoutMap(conversion.shape, other).groups();
  const bool split = layout.is_plain() && other.tag().find(':') != std::string::npos;
  Desc result = split ? grouped_desc(conversion.shape, groups) : desc(conversion.shape, layout);
  result.data.data_type = type;
  return result;
}

}  // namespace

std::unique_ptr<Converter> make_reorder(const Conversion& conversion) {
  const auto type = reorder_type(conversion.type), to_type = reorder_type(conversion.to_type());
  if (!type || !to_type || conversion.shape.count() == 0) return nullptr;
  const Desc from = side(conversion, conversion.from, conversion.to, *type);
  const Desc to = side(conversion, conversion.to, conversion.from, *to_type);
  if (from.data.ndims != to.data.ndims) return nullptr;
  try {
    return std::make_unique<Reorder>(from, to);
  } catch (const dnnl::error&) {
    return nullptr;  // no primitive for this pair: the reference serves it
  }
}

}  // namespace convoy::kernels::onednn
