// Any bytes as JSON; whatever is accepted must print as text that parses to the same value.
#include "convoy/io/json.h"

#include "convoy/base/error.h"
#include "fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const convoy::io::Json json = convoy::io::parse_json(convoy::fuzz::as_text(data, size), "input");
    for (const int indent : {0, 2}) {
      const std::string text = json.dump(indent);
      CONVOY_CHECK(convoy::io::parse_json(text, "printed") == json, text);
    }
  } catch (const convoy::base::InputError& error) {
    CONVOY_CHECK(error.file() == "input", error.what());
  }
  return 0;
}
