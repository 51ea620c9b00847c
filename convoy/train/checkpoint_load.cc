#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "convoy/base/check.h"
#include "convoy/base/error.h"
#include "convoy/io/file.h"
#include "convoy/io/safetensors.h"
#include "convoy/train/checkpoint.h"
#include "convoy/train/manifest_file.h"

namespace convoy::train {
namespace {

using base::InputError;
using tensor::DType;
using tensor::ParamLayout;
using tensor::Segment;
using tensor::SegmentKind;
using tensor::Shape;
using tensor::Tensor;

// The step directory that `path` means.
std::string resolve(const std::string& path) {
  if (io::file_exists(io::join_path(path, kManifestFile))) return path;
  if (const auto latest = find_latest(path)) return *latest;
  throw InputError(path,
                   "holds no complete checkpoint; give a step-… directory, or the directory that holds "
                   "them");
}

// "lenet5 (hash …)" as far as the manifest knows it: the first line of its model text.
std::string describe_model(const Manifest& manifest) {
  const auto text = manifest.texts.find("model");
  if (text == manifest.texts.end()) return fmt::format("the model with hash {}", manifest.model_hash);
  const std::string_view all = text->second;
  return fmt::format("the model \"{}\" (hash {})", all.substr(0, all.find('\n')), manifest.model_hash);
}

void check_fit(const std::string& path, const Manifest& manifest, const LoadConfig& config) {
  if (!config.model_hash.empty() && config.model_hash != manifest.model_hash)
    throw InputError(path,
                     fmt::format("was saved from {}, this one's hash is {}; choose that model, or another "
                                 "checkpoint",
                                 describe_model(manifest), config.model_hash));
  if (!config.rule.empty() && config.rule != manifest.rule)
    throw InputError(
        path, fmt::format("was trained with the update rule {}, not {}; go on with that rule, or begin "
                          "from its weights alone",
                          manifest.rule, config.rule));
}

// Tensors of one file, read into arenas beside the store's, so that failure leaves the store untouched.
class Stage {
 public:
  Stage(const std::string& step_directory, const StoredManifest& stored, const char* file)
      : path_(io::join_path(step_directory, file)), reader_(open(path_, stored, file)) {}

  // All segments of `kind`, named with `prefix`, in the layouts in which the store keeps them.
  Tensor read(const ParamStore& store, SegmentKind kind, const std::string& prefix) {
    const ParamLayout& layout = store.layout();
    Tensor arena(DType::f32,
                 Shape{kind == SegmentKind::parameter ? layout.parameter_extent : layout.state_extent});
    arena.fill_zero();
    for (const Segment& segment : layout.segments)
      if (segment.kind == kind)
        read_segment(segment, store.codec(), prefix,
                     arena.as<float>().subspan(static_cast<std::size_t>(segment.offset),
                                               static_cast<std::size_t>(segment.count)));
    return arena;
  }

  // Call after all reads: a tensor that nobody asked for belongs to another model.
  void check_all_used() const {
    for (const io::StoredTensor& t : reader_.tensors())
      if (std::find(used_.begin(), used_.end(), t.name) == used_.end())
        throw InputError(path_,
                         fmt::format("has a tensor {} that this model lacks; choose the model it was saved "
                                     "from",
                                     t.name));
  }

 private:
  static io::SafetensorsReader open(const std::string& path, const StoredManifest& stored, const char* file) {
    if (!stored.files.contains(file))
      throw InputError(path, "the checkpoint was saved without this file; use one that has it");
    return io::SafetensorsReader(path);
  }

  void read_segment(const Segment& segment, const SegmentCodec* codec, const std::string& prefix,
                    std::span<float> out) {
    CONVOY_CHECK(segment.slice.extent == segment.global_shape.sizes(), segment.name, " is sharded");
    const std::string name = prefix + segment.name;
    const io::StoredTensor* stored = reader_.find(name);
    if (stored == nullptr)
      throw InputError(path_, fmt::format("lacks the tensor {}; choose the model it was saved from", name));
    if (stored->type != DType::f32 || stored->shape != segment.global_shape)
      throw InputError(
          path_, fmt::format("{} is {} {}, this model's is f32 {}; choose the model it was saved from", name,
                             tensor::name(stored->type), stored->shape.str(), segment.global_shape.str()));
    used_.push_back(name);
    if (segment.layout_tag == "plain") {
      reader_.read(*stored, {out.data(), DType::f32, segment.global_shape});
      return;
    }
    Tensor plain(DType::f32, segment.global_shape);
    reader_.read(*stored, plain.view());
    codec->from_plain(segment, plain.as<float>(), out);
  }

  std::string path_;
  io::SafetensorsReader reader_;
  std::vector<std::string> used_;
};

void copy(const Tensor& from, std::span<float> to) {
  const auto values = from.as<float>();
  CONVOY_CHECK(values.size() == to.size(), values.size(), " values for ", to.size());
  std::copy(values.begin(), values.end(), to.begin());
}

}  // namespace

Manifest read_manifest(const std::string& path) { return read_manifest_file(resolve(path)).manifest; }

Manifest load_checkpoint(const std::string& path, ParamStore& store, const LoadConfig& config) {
  const std::string step_directory = resolve(path);
  StoredManifest stored = read_manifest_file(step_directory);
  check_fit(step_directory, stored.manifest, config);
  verify_files(step_directory, stored.files);

  Stage weights(step_directory, stored, kWeightsFile);
  const Tensor parameters = weights.read(store, SegmentKind::parameter, "");
  const Tensor state = weights.read(store, SegmentKind::state, "");
  weights.check_all_used();
  std::vector<Tensor> slots;
  if (!config.rule.empty() && store.slot_count() > 0) {
    CONVOY_CHECK(static_cast<int>(config.slot_names.size()) == store.slot_count(), config.slot_names.size(),
                 " slot names for ", store.slot_count());
    Stage optimizer(step_directory, stored, kOptimizerFile);
    for (const std::string& name : config.slot_names)
      slots.push_back(optimizer.read(store, SegmentKind::parameter, name + "/"));
    optimizer.check_all_used();
  }

  copy(parameters, store.parameters());
  copy(state, store.state());
  for (std::size_t k = 0; k < slots.size(); ++k) copy(slots[k], store.slot(static_cast<int>(k)));
  store.commit();
  return std::move(stored.manifest);
}

}  // namespace convoy::train
