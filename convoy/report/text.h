// Numbers, sizes and times as people read them, and the width of text on a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace convoy::report {

std::string thousands(std::int64_t value);          // "61,706"
std::string significant(double value, int digits);  // "0.0123", "1.2e-09"; "nan", "inf"
std::string percent(double share, int decimals);    // "99.12 %"
std::string memory_size(std::int64_t bytes);        // "640 B", "1.4 KiB", "12 MiB"
std::string duration(double seconds);               // "420 ms", "4.2 s", "1m05s", "2h03m", "3d04h"
std::string compact(double value);                  // "416 k", "1.2 M", "3.4 G"

// Columns that UTF-8 text takes on a terminal: combining marks none, wide East Asian characters two. Bytes
// that are no UTF-8 and control characters count one.
int display_width(std::string_view text);

// The longest prefix of whole characters that fits into `width` columns.
std::string_view clip(std::string_view text, int width);

// `text` with spaces to `width` columns, before it where `right`, else behind it.
std::string pad(std::string_view text, int width, bool right);

// With <, >, &, " and ' as entities and control characters that XML forbids as U+FFFD.
std::string xml_escape(std::string_view text);

}  // namespace convoy::report
