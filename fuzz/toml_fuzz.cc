// Any bytes as TOML; whatever is accepted must print as text that parses to the same settings.
#include "convoy/io/toml.h"

#include "convoy/base/error.h"
#include "fuzz/fuzz_input.h"

namespace {

bool same_value(const convoy::io::ConfigValue& a, const convoy::io::ConfigValue& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr && *x != *x && *y != *y) return true;  // NaN
  return a == b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  convoy::io::Config config;
  try {
    config = convoy::io::parse_toml(convoy::fuzz::as_text(data, size), "input");
  } catch (const convoy::base::UsageError&) {
    return 0;
  }
  const std::string text = convoy::io::print_toml(config);
  // Printing escapes, so a line may grow beyond what reading allows: then it is refused and nothing more.
  try {
    const convoy::io::Config back = convoy::io::parse_toml(text, "printed");
    CONVOY_CHECK(back.entries.size() == config.entries.size(), text);
    for (const convoy::io::ConfigEntry& entry : config.entries)
      CONVOY_CHECK(back.find(entry.key) != nullptr && same_value(back.find(entry.key)->value, entry.value),
                   text);
  } catch (const convoy::base::UsageError& error) {
    CONVOY_CHECK(std::string_view(error.what()).find("line longer than") != std::string_view::npos,
                 error.what(), "\n", text);
  }
  return 0;
}
