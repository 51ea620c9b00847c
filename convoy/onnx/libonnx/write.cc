// From FileModel to protobuf.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <exception>
#include <optional>

#include "convoy/base/error.h"
#include "convoy/base/version.h"
#include "convoy/io/atomic_file.h"
#include "convoy/onnx/codec.h"

namespace convoy::onnx {
namespace {

using ::onnx::AttributeProto;
using ::onnx::TensorProto;

constexpr std::int64_t kIrVersion = 8;                   // of ONNX 1.10 to 1.12, which know opset 13
constexpr std::int64_t kExternalAlignment_bytes = 4096;  // so that it can be mapped into memory

std::int64_t values_bytes(const FileTensor& tensor) {
  return tensor.reals != nullptr ? tensor.reals->view().bytes() : 0;
}

void describe(const FileTensor& tensor, TensorProto& proto) {
  proto.set_name(tensor.name);
  proto.set_data_type(static_cast<std::int32_t>(tensor.type));
  for (const std::int64_t size : tensor.dims) proto.add_dims(size);
}

void write_values(const FileTensor& tensor, TensorProto& proto) {
  describe(tensor, proto);
  if (tensor.reals != nullptr)
    proto.set_raw_data(tensor.reals->view().data(), static_cast<std::size_t>(values_bytes(tensor)));
  else
    proto.set_raw_data(tensor.integers.data(), tensor.integers.size() * sizeof(std::int64_t));
}

struct AttributeWriter {
  AttributeProto& proto;

  void operator()(const OtherAttribute&) const { CONVOY_CHECK(false, "attribute ", proto.name()); }
  void operator()(std::int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(double value) const {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(static_cast<float>(value));
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const std::vector<std::int64_t>& values) const {
    proto.set_type(AttributeProto::INTS);
    for (const std::int64_t value : values) proto.add_ints(value);
  }
  void operator()(const std::vector<double>& values) const {
    proto.set_type(AttributeProto::FLOATS);
    for (const double value : values) proto.add_floats(static_cast<float>(value));
  }
  void operator()(const FileTensor& value) const {
    proto.set_type(AttributeProto::TENSOR);
    write_values(value, *proto.mutable_t());
  }
};

void write_node(const FileNode& node, ::onnx::NodeProto& proto) {
  proto.set_name(node.name);
  proto.set_op_type(node.op);
  for (const std::string& input : node.inputs) proto.add_input(input);
  for (const std::string& output : node.outputs) proto.add_output(output);
  for (const auto& [name, value] : node.attributes) {
    AttributeProto& attribute = *proto.add_attribute();
    attribute.set_name(name);
    std::visit(AttributeWriter{attribute}, value);
  }
}

void write_value(const FileValue& value, ::onnx::ValueInfoProto& proto) {
  proto.set_name(value.name);
  auto& type = *proto.mutable_type()->mutable_tensor_type();
  type.set_elem_type(static_cast<std::int32_t>(value.type));
  if (value.has_shape) type.mutable_shape();
  for (const FileDimension& dimension : value.dims) {
    auto& dim = *type.mutable_shape()->add_dim();
    if (dimension.size)
      dim.set_dim_value(*dimension.size);
    else
      dim.set_dim_param(dimension.symbol);
  }
}

// Tensors in a file beside the model.
class ExternalData {
 public:
  explicit ExternalData(const std::string& path) : location_(io::base_name(path)), file_(path) {}

  void write(const FileTensor& tensor, TensorProto& proto) {
    describe(tensor, proto);
    const std::int64_t padding = -file_.size_bytes() & (kExternalAlignment_bytes - 1);
    file_.write(std::string(static_cast<std::size_t>(padding), '\0'));
    proto.set_data_location(TensorProto::EXTERNAL);
    add(proto, "location", location_);
    add(proto, "offset", std::to_string(file_.size_bytes()));
    add(proto, "length", std::to_string(values_bytes(tensor)));
    file_.write(std::as_bytes(tensor.reals->as<float>()));
  }
  void commit() { file_.commit(); }

 private:
  static void add(TensorProto& proto, const std::string& key, const std::string& value) {
    auto& entry = *proto.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }

  std::string location_;
  io::AtomicFile file_;
};

// Keeps an exception of the file for later: protobuf must not be left by one.
class FileStream final : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileStream(io::AtomicFile& file) : file_(file) {}
  bool Write(const void* data, int size) override {
    try {
      file_.write(std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(size)));
      return true;
    } catch (const base::FileError&) {
      failure_ = std::current_exception();
      return false;
    }
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  io::AtomicFile& file_;
  std::exception_ptr failure_;
};

void write_proto(const std::string& path, const ::onnx::ModelProto& proto) {
  io::AtomicFile file(path);
  FileStream stream(file);
  bool written = false;
  {
    google::protobuf::io::CopyingOutputStreamAdaptor adaptor(&stream);
    written = proto.SerializeToZeroCopyStream(&adaptor) && adaptor.Flush();
  }
  stream.rethrow();
  CONVOY_CHECK(written, path, ": protobuf refuses to write the model");
  file.commit();
}

// ONNX's own judgement. External data must be in place.
void check(const ::onnx::ModelProto& proto, const std::string& directory) {
  ::onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(proto.ir_version()));
  context.set_opset_imports({{"", static_cast<int>(proto.opset_import(0).version())}});
  context.set_model_dir(directory);
  try {
    ::onnx::checker::check_graph(proto.graph(), context, {});
  } catch (const std::exception& error) {
    CONVOY_CHECK(false, "ONNX's checker refuses what was exported: ", error.what());
  }
}

::onnx::ModelProto head(const FileModel& model) {
  ::onnx::ModelProto proto;
  proto.set_ir_version(kIrVersion);
  proto.set_producer_name("convoy");
  proto.set_producer_version(std::string(base::version()));
  proto.add_opset_import()->set_version(model.opset);
  for (const auto& [key, value] : model.metadata) {
    auto& entry = *proto.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  ::onnx::GraphProto& graph = *proto.mutable_graph();
  graph.set_name(model.graph_name);
  for (const FileNode& node : model.nodes) write_node(node, *graph.add_node());
  for (const FileValue& value : model.inputs) write_value(value, *graph.add_input());
  for (const FileValue& value : model.outputs) write_value(value, *graph.add_output());
  return proto;
}

}  // namespace

void write_model(const std::string& path, const FileModel& model, const WriteOptions& options) {
  std::int64_t bytes = 0;
  for (const FileTensor& tensor : model.initialisers) bytes += values_bytes(tensor);
  std::optional<ExternalData> data;
  if (bytes > options.external_above_bytes) data.emplace(path + ".data");
  ::onnx::ModelProto proto = head(model);
  for (const FileTensor& tensor : model.initialisers) {
    TensorProto& target = *proto.mutable_graph()->add_initializer();
    if (data && tensor.reals != nullptr)
      data->write(tensor, target);
    else
      write_values(tensor, target);
  }
  if (data) data->commit();
  check(proto, io::parent_directory(path));
  write_proto(path, proto);
}

}  // namespace convoy::onnx
