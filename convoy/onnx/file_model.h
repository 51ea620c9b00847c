// What an ONNX file says, as plain data: all that the codec of the format and the mapping to graphs share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "convoy/tensor/view.h"

namespace convoy::onnx {

// ONNX's numbers for types of elements (TensorProto.DataType), as far as they are told apart here.
enum class ElementType : std::int32_t {
  undefined = 0,
  f32 = 1,
  i32 = 6,
  i64 = 7,
  text = 8,
  boolean = 9,
  f64 = 11
};
std::string name(ElementType type);  // "float32"; "type 10" for one that is not listed

// A name of a file in quotes, as messages show it: one line, without control characters, not endless.
std::string in_quotes(std::string_view name);

// The double that the shortest decimal of a float32 names: 0.1 for 0.1f.
double widened(float value);

// Float32 values that nobody changes any more, dense and row-major.
using SharedTensor = std::shared_ptr<const tensor::Tensor>;

// An initialiser, or the value of a Constant node. Sizes are >= 0 and agree with the number of values.
struct FileTensor {
  std::string name;
  ElementType type = ElementType::undefined;
  std::vector<std::int64_t> dims;
  SharedTensor reals;                  // of float32; of float64, rounded
  std::vector<std::int64_t> integers;  // of int64, int32 and bool

  std::int64_t count() const;
};

// An attribute of a type that no operator of Convoy takes: a graph, a list of texts, a sparse tensor.
struct OtherAttribute {};

// Reals are those of the shortest decimal that names the file's float32: 1e-5 comes back as 1e-5.
using FileAttribute = std::variant<OtherAttribute, std::int64_t, double, std::string,
                                   std::vector<std::int64_t>, std::vector<double>, FileTensor>;

struct FileNode {
  std::string name;
  std::string op;
  std::string domain;                // "": ONNX's own
  std::vector<std::string> inputs;   // "": left out
  std::vector<std::string> outputs;  // "": not wanted
  std::map<std::string, FileAttribute, std::less<>> attributes;
};

// A size as the file has it, which may be nonsense, or the name of one that is not fixed ("N"), or neither.
struct FileDimension {
  std::optional<std::int64_t> size;
  std::string symbol;
};

// An input or output of the graph.
struct FileValue {
  std::string name;
  ElementType type = ElementType::undefined;  // undefined: no tensor
  bool has_shape = false;
  std::vector<FileDimension> dims;
};

struct FileModel {
  std::string producer;  // name and version
  std::string graph_name;
  std::int64_t opset = 0;       // of ONNX's own operators; 0: not given
  std::vector<FileNode> nodes;  // in the order of the file
  std::vector<FileTensor> initialisers;
  std::vector<FileValue> inputs;  // those that an initialiser names included
  std::vector<FileValue> outputs;
  std::map<std::string, std::string, std::less<>> metadata;
};

// A tensor of these values, for those that make models.
FileTensor make_reals(std::string name, std::vector<std::int64_t> dims, SharedTensor values);
FileTensor make_integers(std::string name, std::vector<std::int64_t> values);  // one dimension

}  // namespace convoy::onnx
