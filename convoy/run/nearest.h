// The known name that somebody who typed an unknown one probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy::run {

// The fewest insertions, deletions, substitutions and swaps of neighbouring bytes, none touched twice, that
// turn `a` into `b` (the restricted distance of Damerau and Levenshtein). Cost: |a| |b|.
int edit_distance(std::string_view a, std::string_view b);

// The first of the `known` names at the smallest distance; empty if that exceeds a third of the name's
// length (at least 1), which is no slip of the finger any more.
std::string nearest(std::string_view name, const std::vector<std::string_view>& known);

// "; did you mean 'NEAREST'?", or nothing: the end of a message about an unknown name.
std::string suggestion(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace convoy::run
