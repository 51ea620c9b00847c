// The directory of one run: who may write into it and what stands where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "convoy/io/directory_lock.h"
#include "convoy/io/json.h"
#include "convoy/run/config.h"

namespace convoy::run {

// DIR/{config.toml, env.json, metrics.jsonl, checkpoints/, trace/, report.html}. Holds the directory's lock.
class RunDirectory {
 public:
  // Creates (or opens) the directory, proves that it can be written, and locks it. Throws UsageError when
  // another process has it, FileError when it cannot be written.
  explicit RunDirectory(const std::string& path);

  const std::string& path() const { return path_; }
  std::string checkpoints() const;

  // The newest complete checkpoint.
  std::optional<std::string> latest_checkpoint() const;
  // Whether there are any, complete or damaged.
  bool holds_checkpoints() const;
  // Whether an earlier run left checkpoints or metrics.
  bool holds_a_run() const;

  void write_config(const std::string& toml) const;
  void write_environment(const io::Json& environment) const;

  // Keeps only the metrics rows whose "step" is at most `last_step`: what a resumed run will not repeat.
  void trim_metrics(std::int64_t last_step) const;
  // Appends one row. Throws FileError, with the file as it was, where the disk is full.
  void append_metrics(const io::Json& row) const;

 private:
  std::string path_;
  io::DirectoryLock lock_;
};

// Where the checkpoints of `path` are: below it where it is a run directory, else the path itself.
std::string checkpoint_place(const std::string& path);

// "runs/lenet5-mnist-20261124-053730": the default place of a run, unused so far.
std::string default_run_directory(const RunConfig& config);

}  // namespace convoy::run
