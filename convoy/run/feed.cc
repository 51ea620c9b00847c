#include "convoy/run/feed.h"

#include <utility>

#include "convoy/base/check.h"
#include "convoy/base/error.h"

namespace convoy::run {

data::DatasetRequest dataset_request(const RunConfig& config, data::Split split) {
  data::DatasetRequest request;
  request.split = split;
  request.data_dir = config.data_dir;
  request.offline = config.offline;
  request.size = split == data::Split::train ? config.train_size : config.test_size;
  request.image_size = config.image_size;
  request.centre_crop = config.centre_crop;
  request.test_share = config.test_share;
  const auto fold = data::parse_fold(config.fold);
  if (!fold) throw base::UsageError(base::str("--fold ", fold.reason().text));
  request.fold = *fold;
  return request;
}

std::shared_ptr<const data::Dataset> open_split(const RunConfig& config, data::Split split) {
  return data::open_dataset(config.data, dataset_request(config, split));
}

void check_fit(const graph::Graph& graph, const data::DatasetInfo& info) {
  if (info.sample_shape != graph.input_shape())
    throw base::UsageError(base::str("the model ", graph.name(), " takes samples of ",
                                     graph.input_shape().str(), ", the data set ", info.name, " has ",
                                     info.sample_shape.str(), "; choose a model and data that fit"));
  const std::int64_t outputs = graph.infer(1).values[static_cast<std::size_t>(graph.output())].count();
  if (graph.labels() >= 0 && outputs != static_cast<std::int64_t>(info.class_names.size()))
    throw base::UsageError(base::str("the model ", graph.name(), " has ", outputs, " classes, the data set ",
                                     info.name, " has ", info.class_names.size()));
}

data::LoaderConfig loader_config(const RunConfig& config) {
  data::LoaderConfig loader;
  loader.batch_size = config.batch;
  loader.seed = config.seed;
  loader.workers = config.loader_workers;
  loader.bad = std::make_shared<data::BadExamples>(config.max_bad);
  if (!config.augment.empty()) {
    auto augment = data::parse_augment(config.augment);
    if (!augment) throw base::UsageError(base::str("--augment: ", augment.reason().text));
    loader.augment = std::move(augment).value();
  }
  return loader;
}

}  // namespace convoy::run
