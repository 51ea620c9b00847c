// Any bytes as a tuning cache: what is accepted prints a text that gives the same contents, and a refusal is
// one line.
#include "convoy/tune/cache_file.h"

#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto contents = convoy::tune::parse_cache(convoy::fuzz::as_text(data, size));
  if (!contents) {
    const std::string& reason = contents.reason().text;
    CONVOY_CHECK(!reason.empty() && reason.find('\n') == std::string::npos, reason);
    return 0;
  }
  const std::string text = convoy::tune::print_cache(*contents);
  const auto back = convoy::tune::parse_cache(text);
  CONVOY_CHECK(back.ok() && *back == *contents, text);
  CONVOY_CHECK(convoy::tune::print_cache(*back) == text, text);
  return 0;
}
