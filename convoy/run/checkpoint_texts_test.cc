#include "convoy/run/checkpoint_texts.h"

#include <gtest/gtest.h>

#include "convoy/base/error.h"
#include "convoy/run/assemble.h"
#include "convoy/run/config.h"

namespace convoy::run {
namespace {

CheckpointTexts example() {
  RunConfig config;
  config.model = "linear";
  graph::Graph graph = build_configured_model(config);
  plan::Plan plan;
  for (const graph::Layer& layer : graph.layers()) plan.layers.push_back({.layer = layer.name, .passes = {}});
  plan.threads = 3;
  return {.graph = std::move(graph),
          .plan = plan,
          .input = {.data = "digits",
                    .mean = {0.1307f},
                    .stddev = {0.3081f},
                    .class_names = {"a b", "\"c\"", "é"}},
          .config = to_toml({.config = config, .origins = {}}, false)};
}

train::Manifest manifest(const CheckpointTexts& texts) {
  return {.model_hash = hash_text(texts.graph), .rule = "sgd", .texts = to_texts(texts), .metrics = {}};
}

std::string refusal(const train::Manifest& manifest) {
  try {
    from_texts(manifest, "some/checkpoint");
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "read";
}

TEST(CheckpointTexts, ReadBackAsWritten) {
  const CheckpointTexts texts = example();
  const CheckpointTexts back = from_texts(manifest(texts), "some/checkpoint");
  EXPECT_EQ(back.graph.str(), texts.graph.str());
  EXPECT_EQ(back.plan, texts.plan);
  EXPECT_EQ(back.input.data, texts.input.data);
  EXPECT_EQ(back.input.mean, texts.input.mean);  // bit for bit: a prediction depends on them
  EXPECT_EQ(back.input.stddev, texts.input.stddev);
  EXPECT_EQ(back.input.class_names, texts.input.class_names);
  EXPECT_EQ(back.config, texts.config);
}

TEST(CheckpointTexts, HashIsOfTheModelAlone) {
  const CheckpointTexts texts = example();
  EXPECT_EQ(hash_text(texts.graph).size(), 16u);
  RunConfig other;
  EXPECT_NE(hash_text(build_configured_model(other)), hash_text(texts.graph));
  EXPECT_EQ(hash_text(example().graph), hash_text(texts.graph));
}

TEST(CheckpointTexts, RefusesAMissingText) {
  for (const char* name : {"graph", "plan", "input", "config"}) {
    train::Manifest cut = manifest(example());
    cut.texts.erase(name);
    EXPECT_NE(refusal(cut).find(base::str("some/checkpoint: its manifest has no text '", name, "'")),
              std::string::npos)
        << refusal(cut);
  }
}

TEST(CheckpointTexts, RefusesTextsThatCannotBeRead) {
  const std::pair<const char*, const char*> cases[] = {
      {"graph", "graph n 1x2\nx = Nonsense{}(input)\noutput x\n"},
      {"plan", "layer a forward=reference/sideways\n"},
      {"plan", "threads 4000000000\n"},
      {"input", "{"},
      {"input", R"({"data":"d","mean":[0],"stddev":[0],"class_names":[]})"},
      {"input", R"({"data":"d","mean":[0,0],"stddev":[1],"class_names":[]})"},
      {"input", R"({"data":"d","mean":["0"],"stddev":[1],"class_names":[]})"},
      {"input", R"({"data":"d","mean":[0],"stddev":[1],"class_names":[1]})"},
      {"input", R"({"data":"d","mean":[],"stddev":[],"class_names":[]})"}};
  for (const auto& [name, text] : cases) {
    train::Manifest wrong = manifest(example());
    wrong.texts[name] = text;
    EXPECT_TRUE(refusal(wrong).starts_with("some/checkpoint"))
        << name << " " << text << ": " << refusal(wrong);
  }
}

TEST(CheckpointTexts, RefusesAnotherModelsHash) {
  train::Manifest wrong = manifest(example());
  wrong.model_hash = "0123456789abcdef";
  EXPECT_NE(refusal(wrong).find("hash"), std::string::npos) << refusal(wrong);
}

}  // namespace
}  // namespace convoy::run
