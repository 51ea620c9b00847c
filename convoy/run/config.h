// All settings of a run, and the one table from which flags, environment variables, TOML keys, help texts
// and --print-config are derived.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convoy/base/result.h"

namespace convoy::run {

struct RunConfig {
  // model and data
  std::string model = "lenet5";
  double width = 1;          // factor on the hidden layers' channels and features
  std::int64_t depth = 0;    // of models that have it free; 0: the model's own
  std::string input;         // shape of a sample, such as 3x224x224; empty: the data set's
  std::int64_t classes = 0;  // outputs of the last layer; 0: the data set's
  bool zero_gamma = false;   // residual blocks start as the identity
  std::string data = "digits";
  std::string data_dir;
  bool offline = false;
  std::int64_t train_size = 0;  // examples of a generated set; 0: its default
  std::int64_t test_size = 0;
  std::string augment;            // "", or such as "crop=4,flip"
  std::int64_t image_size = 224;  // of pictures of any size: data::DatasetRequest's
  double centre_crop = 0.875;
  double test_share = 0.2;
  std::string fold;          // "", or such as "1/5"
  std::int64_t max_bad = 0;  // examples that cannot be read and are passed over

  // training: what changes the meaning
  std::int64_t epochs = 10;
  std::int64_t steps = 0;  // > 0: stop after so many steps, whatever `epochs` says
  std::int64_t batch = 64;
  std::uint64_t seed = 1;
  std::string optimizer = "momentum";
  double learning_rate = 0.02;
  std::string schedule = "cosine";
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double epsilon = 0;  // 0: the rule's own
  double decay = 0.99;
  double beta1 = 0.9;
  double beta2 = 0.999;
  std::string strategy = "sync";
  std::string precision = "float32";  // or "bf16": plan::StepConfig's

  // execution: what changes speed and memory
  int threads = 0;  // 0: all processors available
  int loader_workers = 1;
  std::string layout = "auto";
  std::string kernels;               // "", or such as "conv1=reference,fc1=onednn"
  std::string conv_algorithm;        // "", or such as "conv1=fft,*=winograd"
  std::int64_t workspace_limit = 0;  // bytes that one kernel may use; 0: no limit
  double error_limit = 0;            // plan::PlanRequest's; 0: no limit
  std::string tune = "auto";         // auto, off, force
  bool fuse = true;
  bool share_memory = true;
  std::string recompute = "none";  // none, sqrt
  std::int64_t memory = 0;         // bytes of a training step, met by recomputation; 0: no limit

  // output
  std::string output;                 // run directory; empty: runs/<model>-<data>-<time>
  std::string resume = "never";       // never, auto, or the path of a checkpoint
  bool replan = false;                // resume with a new plan instead of the checkpoint's
  std::int64_t checkpoint_every = 0;  // steps; 0: once an epoch
  std::int64_t keep_last = 3;         // checkpoints
  bool profile = false;               // clock a window of steps
  std::int64_t profile_steps = 20;    // of that window, after the warm-up
};

// Where a value came from, weakest first.
enum class Origin : std::uint8_t { standard, file, environment, flag };
std::string_view name(Origin origin);

// What the text of a setting must be.
// size: bytes, with K, M or G for powers of 1,024.
enum class ValueType : std::uint8_t { text, integer, real, boolean, size };

// One setting. Its TOML key is "section.name" and its flag --name with dashes; the environment variable is
// CONVOY_NAME in capitals.
struct Setting {
  std::string_view section;  // model, data, train, execution, output
  std::string_view name;     // "learning_rate"
  std::string_view help;     // one line, with the unit
  // Parses the text into the config; refuses what is no value of the setting, or out of range.
  base::Verdict (*set)(RunConfig&, std::string_view text);
  std::string (*get)(const RunConfig&);
  ValueType type = ValueType::text;
  bool is_switch = false;  // a flag without a value means true, --no-NAME false
  bool is_list = false;    // texts between commas; a flag that is given again adds to them
};
std::span<const Setting> settings();
const Setting* find_setting(std::string_view name);

// A config and each setting's origin.
struct ResolvedConfig {
  RunConfig config;
  std::map<std::string, Origin, std::less<>> origins;
};

// Applies, in this order: defaults, the TOML file `config_file` (empty: none), the environment, `flags`
// (name → text). Throws UsageError for an unknown key or name (with file and line, and the nearest known
// one), a wrong type, or a value out of range.
ResolvedConfig resolve_config(const std::string& config_file, const std::map<std::string, std::string>& flags,
                              const std::function<const char*(const char*)>& environment);

// The config that a TOML text makes of the defaults; `file` names it in messages.
ResolvedConfig parse_config(std::string_view toml, const std::string& file);

// The config as TOML, grouped by section, each line with its origin as a comment when `origins` are given.
// resolve_config reads it back.
std::string to_toml(const ResolvedConfig& resolved, bool with_origins);

}  // namespace convoy::run
