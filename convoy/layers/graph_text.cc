#include "convoy/layers/graph_text.h"

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "convoy/layers/catalog.h"

namespace convoy::layers {
namespace {

constexpr int kMaxDimensions = 8;

// "1x28x28"; empty if it is no shape.
std::optional<tensor::Shape> parse_shape(std::string_view text) {
  std::vector<std::int64_t> sizes;
  while (true) {
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || size < 0 || sizes.size() == kMaxDimensions) return std::nullopt;
    sizes.push_back(size);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return tensor::Shape(std::move(sizes));
    if (text.front() != 'x') return std::nullopt;
    text.remove_prefix(1);
  }
}

// Where the attribute list that starts at '{' ends: behind its '}', quoted text passed over.
std::size_t end_of_attributes(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == '}' && !quoted)
      return i + 1;
  }
  return std::string_view::npos;
}

std::optional<std::string_view> after(std::string_view line, std::string_view keyword) {
  if (!line.starts_with(keyword)) return std::nullopt;
  return line.substr(keyword.size());
}

// Reads one text line by line into a builder.
class Parser {
 public:
  base::Result<graph::Graph> run(std::string_view text) {
    while (!text.empty()) {
      ++line_number_;
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (const base::Verdict verdict = read(line); !verdict)
        return base::Reason{base::str("model text, line ", line_number_, ": ", verdict.reason().text)};
      if (end == std::string_view::npos)
        return base::Reason{
            base::str("model text, line ", line_number_, ": it is cut, or its end is missing")};
    }
    if (!builder_) return base::Reason{"model text is empty"};
    if (!class_names_.empty()) builder_->set_class_names(std::move(class_names_));
    return std::move(*builder_).build();
  }

 private:
  base::Verdict read(std::string_view line) {
    if (!builder_) return read_head(line);
    if (const auto name = after(line, "class ")) {
      class_names_.emplace_back(*name);
      return {};
    }
    // A layer may be called "output" or "loss": its line has " = " behind the name.
    const bool is_layer = line.find(" = ") != std::string_view::npos;
    if (const auto name = after(line, "output "); name && !is_layer) return set_end(*name, /*is_loss=*/false);
    if (const auto name = after(line, "loss "); name && !is_layer) return set_end(*name, /*is_loss=*/true);
    return read_layer(line);
  }

  base::Verdict read_head(std::string_view line) {
    const auto rest = after(line, "graph ");
    const std::size_t space = rest ? rest->rfind(' ') : std::string_view::npos;
    if (space == std::string_view::npos) return base::Reason{"it does not begin with 'graph NAME SHAPE'"};
    const auto shape = parse_shape(rest->substr(space + 1));
    if (!shape) return base::Reason{base::str("'", rest->substr(space + 1), "' is no shape")};
    builder_.emplace(std::string(rest->substr(0, space)), *shape);
    values_["input"] = builder_->input();
    return {};
  }

  base::Verdict set_end(std::string_view name, bool is_loss) {
    const auto found = values_.find(name);
    if (found == values_.end()) return base::Reason{base::str("no value '", name, "'")};
    if (is_loss)
      builder_->set_loss(found->second);
    else
      builder_->set_output(found->second);
    return {};
  }

  // "conv1 = Conv{group=1}(input)"
  base::Verdict read_layer(std::string_view line) {
    const std::size_t equals = line.find(" = ");
    if (equals == std::string_view::npos)
      return base::Reason{"it is neither a layer nor output, loss or class"};
    const std::string name(line.substr(0, equals));
    std::string_view rest = line.substr(equals + 3);
    const std::size_t brace = rest.find('{');
    if (brace == std::string_view::npos)
      return base::Reason{base::str("layer ", name, " has no attribute list")};
    const graph::LayerKind* kind = find(rest.substr(0, brace));
    if (kind == nullptr)
      return base::Reason{base::str("layer ", name, ": unknown operator '", rest.substr(0, brace), "'")};
    rest.remove_prefix(brace);
    const std::size_t end = end_of_attributes(rest);
    if (end == std::string_view::npos)
      return base::Reason{base::str("layer ", name, ": its attributes do not end")};
    const auto attributes = graph::Attributes::parse(rest.substr(0, end));
    if (!attributes) return base::Reason{base::str("layer ", name, ": ", attributes.reason().text)};
    auto inputs = read_inputs(rest.substr(end));
    if (!inputs) return base::Reason{base::str("layer ", name, ": ", inputs.reason().text)};
    if (values_.contains(name)) return base::Reason{base::str("layer ", name, " comes twice")};
    values_[name] = builder_->add(*kind, name, *attributes, std::move(inputs).value());
    return {};
  }

  base::Result<std::vector<graph::ValueId>> read_inputs(std::string_view text) {
    if (text.size() < 2 || text.front() != '(' || text.back() != ')')
      return base::Reason{"its inputs are not in parentheses"};
    text = text.substr(1, text.size() - 2);
    std::vector<graph::ValueId> inputs;
    while (!text.empty()) {
      const std::size_t comma = text.find(", ");
      const std::string_view name = text.substr(0, comma);
      text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 2);
      if (name == "labels") {
        inputs.push_back(builder_->labels());
        continue;
      }
      const auto found = values_.find(name);
      if (found == values_.end()) return base::Reason{base::str("no value '", name, "' before it")};
      inputs.push_back(found->second);
    }
    return inputs;
  }

  int line_number_ = 0;
  std::optional<graph::GraphBuilder> builder_;
  std::map<std::string, graph::ValueId, std::less<>> values_;
  std::vector<std::string> class_names_;
};

}  // namespace

base::Result<graph::Graph> parse_graph(std::string_view text) { return Parser().run(text); }

}  // namespace convoy::layers
