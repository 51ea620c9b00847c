// Bytes: what is written is read, and damaged or hostile bytes are refused before they cost anything.
#include "convoy/onnx/codec.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <functional>

#include "convoy/base/error.h"
#include "convoy/io/temporary_directory.h"
#include "convoy/onnx/import.h"
#include "convoy/onnx/test_models.h"

namespace convoy::onnx {
namespace {

namespace fs = std::filesystem;

FileModel small() {
  FileModel model =
      one_node(node("Conv", {"x", "c.weight"}, {"y"}), {values("c.weight", {4, 3, 3, 3}, 0.1f, 0.01f)});
  model.outputs = {image("y", {2, 4, 3, 3})};
  model.metadata["convoy.class_names"] = R"(["a","b"])";
  return model;
}

class Codec : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.file(name); }
  FileModel read(const std::string& name) const {
    return read_model(io::open_file(path(name)), directory_.path());
  }

  std::string refusal(const std::string& bytes) const {
    static_cast<void>(directory_.write("bad.onnx", bytes));
    try {
      static_cast<void>(load_model(path("bad.onnx")));
    } catch (const base::InputError& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.find('\n'), std::string::npos);
      EXPECT_EQ(text.find(path("bad.onnx")), 0u) << text;
      return text.substr(path("bad.onnx").size());
    }
    return "imported";
  }

  // The small model, changed in a way that write_model would not.
  std::string refusal_of(const std::function<void(::onnx::GraphProto&)>& change) const {
    write_model(path("small.onnx"), small());
    ::onnx::ModelProto proto;
    EXPECT_TRUE(proto.ParseFromString(io::read_file(path("small.onnx"))));
    change(*proto.mutable_graph());
    return refusal(proto.SerializeAsString());
  }

  io::TemporaryDirectory directory_;
};

void make_external(::onnx::TensorProto& tensor, const std::string& location, const std::string& offset = "0",
                   const std::string& length = "432") {
  tensor.clear_raw_data();
  tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : {std::pair("location", location), {"offset", offset}, {"length", length}}) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
}

TEST_F(Codec, ReadsWhatItWrote) {
  const FileModel model = small();
  write_model(path("m.onnx"), model);
  const FileModel back = read("m.onnx");
  EXPECT_EQ(back.producer.substr(0, 7), "convoy ");
  EXPECT_EQ(back.graph_name, "g");
  EXPECT_EQ(back.opset, 13);
  EXPECT_EQ(back.metadata, model.metadata);
  ASSERT_EQ(back.nodes.size(), 1u);
  EXPECT_EQ(back.nodes[0].inputs, model.nodes[0].inputs);
  ASSERT_EQ(back.initialisers.size(), 1u);
  const auto found = back.initialisers[0].reals->as<float>(),
             wanted = model.initialisers[0].reals->as<float>();
  EXPECT_TRUE(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end()));
  EXPECT_EQ(back.inputs[0].dims[1].size, 3);
}

TEST_F(Codec, KeepsLargeTensorsBesideTheModel) {
  FileModel model = small();
  model.nodes[0].inputs.push_back("c.bias");
  model.initialisers.push_back(values("c.bias", {4}));
  write_model(path("m.onnx"), model, {.external_above_bytes = 100});
  EXPECT_EQ(fs::file_size(path("m.onnx.data")), 4096u + 16u);
  EXPECT_LT(fs::file_size(path("m.onnx")), 1000u);
  const FileModel back = read("m.onnx");
  const auto found = back.initialisers[1].reals->as<float>();
  EXPECT_EQ(std::vector<float>(found.begin(), found.end()), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(import_model(back, "m").weights.size(), 2u);
}

TEST_F(Codec, RefusesTruncatedAndForeignBytes) {
  write_model(path("m.onnx"), small());
  const std::string bytes = io::read_file(path("m.onnx"));
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size() - 1})
    EXPECT_NE(refusal(bytes.substr(0, size)), "imported") << size;
  EXPECT_NE(refusal(bytes.substr(0, bytes.size() - 1))
                .find(": it is no whole ONNX model: cut or damaged near byte "),
            std::string::npos);
  EXPECT_NE(refusal("\x89PNG\r\n"), "imported");
  EXPECT_NE(refusal(std::string(100'000, '\x0a')), "imported");
}

TEST_F(Codec, RefusesTensorsWhoseSizesAreWrong) {
  EXPECT_EQ(refusal_of([](auto& graph) { graph.mutable_initializer(0)->set_dims(0, 5); }),
            ": tensor 'c.weight': its sizes want 540 bytes, it has 432");
  EXPECT_EQ(refusal_of([](auto& graph) { graph.mutable_initializer(0)->set_dims(1, -3); }),
            ": tensor 'c.weight': it has the size -3");
  EXPECT_EQ(refusal_of([](auto& graph) {
              for (int d = 0; d < 4; ++d) graph.mutable_initializer(0)->set_dims(d, std::int64_t{1} << 40);
            }),
            ": tensor 'c.weight': it has more than 2^40 values");
  EXPECT_EQ(refusal_of([](auto& graph) {
              auto& tensor = *graph.mutable_initializer(0);
              tensor.clear_raw_data();
              tensor.add_float_data(1);
            }),
            ": tensor 'c.weight': its sizes want 108 values, it has 1");
}

TEST_F(Codec, RefusesExternalDataOutsideTheFolder) {
  const io::TemporaryDirectory elsewhere;
  const std::string secret = elsewhere.write("secret", std::string(432, 's'));
  fs::create_symlink(secret, path("link"));
  const auto at = [this](const std::string& location, const std::string& offset = "0",
                         const std::string& length = "432") {
    return refusal_of(
        [&](auto& graph) { make_external(*graph.mutable_initializer(0), location, offset, length); });
  };
  EXPECT_EQ(at(secret),
            ": tensor 'c.weight': its external data '" + secret + "' is no path inside the model's folder");
  EXPECT_NE(at("../" + fs::path(secret).parent_path().filename().string() + "/secret")
                .find("lies outside the model's folder"),
            std::string::npos);
  EXPECT_NE(at("a/../../etc/passwd").find("lies outside the model's folder"), std::string::npos);
  EXPECT_NE(at("link").find("lies outside the model's folder"), std::string::npos);
  EXPECT_NE(at("").find("is no path inside"), std::string::npos);
  EXPECT_NE(at("absent").find("external data 'absent'"), std::string::npos);
  static_cast<void>(directory_.write("data", std::string(432, '\0')));
  EXPECT_EQ(at("data"), "imported");
  EXPECT_NE(at("data", "1").find("reaches beyond 'data' of 432 bytes"), std::string::npos);
  EXPECT_NE(at("data", "-1").find("the offset of its external data is '-1'"), std::string::npos);
  EXPECT_NE(at("data", "9223372036854775807").find("reaches beyond"), std::string::npos);
  EXPECT_NE(at("data", "0", "16").find("its sizes want 432 bytes, its external data has 16"),
            std::string::npos);
}

TEST_F(Codec, LeavesNothingWhereItCannotWrite) {
  EXPECT_THROW(write_model(path("absent/m.onnx"), small()), base::FileError);
  EXPECT_TRUE(fs::is_empty(directory_.path()));
}

}  // namespace
}  // namespace convoy::onnx
