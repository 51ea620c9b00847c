// The data of a run.
#pragma once

#include <memory>

#include "convoy/data/batch_source.h"
#include "convoy/data/dataset.h"
#include "convoy/data/loader.h"
#include "convoy/graph/graph.h"
#include "convoy/run/config.h"

namespace convoy::run {

// What the config asks of its data set.
data::DatasetRequest dataset_request(const RunConfig& config, data::Split split);

// Opens one split of the config's data set. The test split of generated data does not depend on the run's
// seed, so that runs are compared on the same examples. Throws what data::open_dataset throws.
std::shared_ptr<const data::Dataset> open_split(const RunConfig& config, data::Split split);

// Throws UsageError unless the data set's samples and classes are what the model takes.
void check_fit(const graph::Graph& graph, const data::DatasetInfo& info);

// How the config feeds training. Throws UsageError for an augmentation that cannot be read.
data::LoaderConfig loader_config(const RunConfig& config);

}  // namespace convoy::run
