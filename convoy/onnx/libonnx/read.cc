// From protobuf to FileModel.
#include <google/protobuf/io/coded_stream.h>
#include <onnx/common/version.h>
#include <onnx/onnx_pb.h>

#include <limits>

#include "convoy/base/error.h"
#include "convoy/onnx/codec.h"
#include "convoy/onnx/libonnx/read_tensor.h"

namespace convoy::onnx {
namespace {

using ::onnx::AttributeProto;

// Parses a message that fills the file.
template <class Message>
Message parse(const io::RandomAccessFile& file, const std::string& what) {
  if (file.size_bytes() > std::numeric_limits<std::int32_t>::max())
    throw base::InputError(file.name(), base::str("it has more than the 2 GB that ", what, " can have"));
  const tensor::Buffer bytes(file.size_bytes());
  const auto size = static_cast<std::size_t>(file.size_bytes());
  file.read_at(0, {bytes.data(), size});
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                static_cast<int>(size));
  Message message;
  if (size == 0 || !message.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    throw base::InputError(file.name(), base::str("it is no whole ", what, ": cut or damaged near byte ",
                                                  stream.CurrentPosition(), "; export or copy it again"));
  return message;
}

FileAttribute read_attribute(AttributeProto& proto, TensorReader& tensors) {
  switch (proto.type()) {
    case AttributeProto::INT:
      return proto.i();
    case AttributeProto::FLOAT:
      return widened(proto.f());
    case AttributeProto::STRING:
      return proto.s();
    case AttributeProto::INTS:
      return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case AttributeProto::FLOATS: {
      std::vector<double> values;
      for (const float value : proto.floats()) values.push_back(widened(value));
      return values;
    }
    case AttributeProto::TENSOR:
      return tensors.read(*proto.mutable_t());
    default:
      return OtherAttribute{};
  }
}

FileNode read_node(::onnx::NodeProto& proto, TensorReader& tensors, const std::string& file) {
  FileNode node{.name = proto.name(), .op = proto.op_type(), .domain = proto.domain()};
  if (node.domain == "ai.onnx") node.domain.clear();
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (AttributeProto& attribute : *proto.mutable_attribute())
    if (!node.attributes.emplace(attribute.name(), read_attribute(attribute, tensors)).second)
      throw base::InputError(file, base::str("node ", in_quotes(node.name), " (", in_quotes(node.op),
                                             "): attribute ", in_quotes(attribute.name()), " comes twice"));
  return node;
}

FileValue read_value(const ::onnx::ValueInfoProto& proto) {
  FileValue value{.name = proto.name()};
  if (!proto.type().has_tensor_type()) return value;
  const auto& type = proto.type().tensor_type();
  value.type = static_cast<ElementType>(type.elem_type());
  value.has_shape = type.has_shape();
  for (const auto& dim : type.shape().dim()) {
    FileDimension& dimension = value.dims.emplace_back();
    if (dim.has_dim_value()) dimension.size = dim.dim_value();
    dimension.symbol = dim.dim_param();
  }
  return value;
}

std::int64_t opset_of(const ::onnx::ModelProto& proto) {
  for (const auto& import : proto.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx") return import.version();
  return proto.ir_version() < 3 ? 1 : 0;  // older files do not say
}

}  // namespace

bool is_available() { return true; }

std::vector<base::LibraryVersion> library_versions() {
  return {{"libonnx", ::onnx::LAST_RELEASE_VERSION, ""}};  // it has no function that says which is loaded
}

FileModel read_model(const std::shared_ptr<const io::RandomAccessFile>& file, const std::string& directory) {
  auto proto = parse<::onnx::ModelProto>(*file, "ONNX model");
  if (!proto.has_graph() || proto.graph().output_size() == 0)
    throw base::InputError(file->name(), "it holds no ONNX graph with an output");
  TensorReader tensors(file->name(), directory);
  FileModel model{.producer = proto.producer_name()};
  if (!proto.producer_version().empty()) model.producer += " " + proto.producer_version();
  model.graph_name = proto.graph().name();
  model.opset = opset_of(proto);
  ::onnx::GraphProto& graph = *proto.mutable_graph();
  for (::onnx::NodeProto& node : *graph.mutable_node())
    model.nodes.push_back(read_node(node, tensors, file->name()));
  for (::onnx::TensorProto& tensor : *graph.mutable_initializer())
    model.initialisers.push_back(tensors.read(tensor));
  for (const auto& value : graph.input()) model.inputs.push_back(read_value(value));
  for (const auto& value : graph.output()) model.outputs.push_back(read_value(value));
  for (const auto& entry : proto.metadata_props()) model.metadata[entry.key()] = entry.value();
  return model;
}

FileTensor read_tensor(const std::shared_ptr<const io::RandomAccessFile>& file) {
  auto proto = parse<::onnx::TensorProto>(*file, "ONNX tensor");
  return TensorReader(file->name(), "").read(proto);
}

}  // namespace convoy::onnx
