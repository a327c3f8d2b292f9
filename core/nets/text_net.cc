#include "core/nets/text_net.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/status.h"
#include "core/nets/builder.h"
#include "core/nets/text_layers.h"

namespace fovea {

namespace {

constexpr size_t kMaxTextBytes = 64 << 10;
constexpr int kMaxLayers = 1000;
constexpr int kMaxDepth = 8;
constexpr int64_t kMaxElements = int64_t{1} << 31;  // of one value of one example, of one parameter
constexpr int kMaxStride = 32;                      // of a shortcut

struct Line {
  int number;  // from 1
  std::vector<std::string> words;
};

// The lines that are neither empty nor a comment.
std::vector<Line> LinesOf(const std::string& text) {
  std::vector<Line> lines;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = line.substr(0, line.find('#'));
    std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (!words.empty()) lines.push_back({number, std::move(words)});
  }
  return lines;
}

absl::Status At(int line, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("line ", line, ": ", status.message()));
}

absl::Status Error(int line, const absl::AlphaNum& message) {
  return At(line, absl::InvalidArgumentError(message.Piece()));
}

std::string KnownLayers() {
  std::vector<std::string> names;
  for (const TextLayerRule& rule : TextLayerRules()) names.emplace_back(rule.name);
  names.insert(names.end(), {"residual {", "concat {"});
  return absl::StrJoin(names, ", ");
}

class TextNet {
 public:
  TextNet(const NetOptions& options, int64_t batch)
      : batch_(batch), lines_(LinesOf(options.text)), net_(options, batch) {}

  absl::StatusOr<Net> Build() {
    if (lines_.empty()) {
      return absl::InvalidArgumentError("line 1: no layer, expected at least one");
    }
    if (lines_.size() > kMaxLayers) {
      return Error(lines_[kMaxLayers].number, absl::StrCat("more than ", kMaxLayers, " lines"));
    }
    ASSIGN_OR_RETURN(ValueId x, Block(net_.input(), /*depth=*/0));
    if (next_ < lines_.size()) {
      return Error(Current().number, "\"}\" closes nothing, expected a layer");
    }
    if (net_.dims(x).rank() > 2) x = net_.Flatten("last_flatten", x);
    x = net_.Dropout("last_dropout", x);
    return net_.Finish("classifier", x);
  }

 private:
  const Line& Current() const { return lines_[next_]; }
  bool Closes() const { return Current().words == std::vector<std::string>{"}"}; }
  // "residual {".
  bool Opens(absl::string_view what) const {
    return Current().words.size() == 2 && Current().words[0] == what && Current().words[1] == "{";
  }

  // Layers up to the brace that closes the block, or to the end.
  absl::StatusOr<ValueId> Block(ValueId x, int depth) {
    while (next_ < lines_.size() && !Closes()) {
      ASSIGN_OR_RETURN(x, Layer(x, depth));
    }
    return x;
  }

  // A block after its opening line, with the brace that closes it.
  absl::StatusOr<ValueId> Braced(ValueId x, int depth) {
    const int opened = Current().number;
    if (depth > kMaxDepth) return Error(opened, absl::StrCat("blocks deeper than ", kMaxDepth));
    ++next_;
    ASSIGN_OR_RETURN(const ValueId y, Block(x, depth));
    RETURN_IF_ERROR(Close(opened));
    return y;
  }

  absl::Status Close(int opened) {
    if (next_ >= lines_.size()) {
      return Error(opened, "the block is not closed, expected a line \"}\"");
    }
    ++next_;
    return absl::OkStatus();
  }

  absl::StatusOr<ValueId> Layer(ValueId x, int depth) {
    if (Opens("residual")) return Residual(x, depth);
    if (Opens("concat")) return Concat(x, depth);
    const Line& line = Current();
    if (line.words[0] == "residual" || line.words[0] == "concat") {
      return Error(line.number, absl::StrCat("found \"", absl::StrJoin(line.words, " "),
                                             "\", expected \"", line.words[0], " {\""));
    }
    for (const TextLayerRule& rule : TextLayerRules()) {
      if (line.words[0] == rule.name) return Append(rule, x, depth);
    }
    return Error(line.number,
                 absl::StrCat("unknown layer \"", line.words[0], "\"; known are ", KnownLayers()));
  }

  absl::StatusOr<ValueId> Append(const TextLayerRule& rule, ValueId x, int depth) {
    const Line& line = Current();
    ++next_;
    absl::StatusOr<TextLayer> layer = ParseTextLayer(rule, line.words);
    if (!layer.ok()) return At(line.number, layer.status());
    if (rule.needs_image && net_.dims(x).rank() != 4) {
      return Error(line.number, absl::StrCat(rule.name, " needs images, found rows of ",
                                             net_.channels(x), " values"));
    }
    layer->is_last = depth > 0 && in_residual_ && next_ < lines_.size() && Closes();
    if (layer->name == "dense") RETURN_IF_ERROR(CheckDense(line.number, *layer, x));
    return Checked(line.number, rule.append(net_, *layer, NextName(rule.name), x));
  }

  // Dense weights are checked before they exist: their count might not fit a number.
  absl::Status CheckDense(int line, const TextLayer& layer, ValueId x) const {
    const int64_t inputs = net_.dims(x).count() / batch_;
    if (inputs <= kMaxElements / static_cast<int64_t>(layer.number)) return absl::OkStatus();
    return Error(line, absl::StrCat("dense has ", layer.number, " x ", inputs,
                                    " weights, expected at most ", kMaxElements));
  }

  absl::StatusOr<ValueId> Checked(int line, ValueId y) const {
    if (!net_.status().ok()) return At(line, net_.status());
    for (ValueId id : net_.graph().ValuesOf(Role::kParameter)) {
      if (net_.dims(id).count() <= kMaxElements) continue;
      return Error(
          line, absl::StrCat("\"", net_.graph().value(id).name, "\" is ", net_.dims(id).ToString(),
                             ", expected at most ", kMaxElements, " values"));
    }
    if (net_.dims(y).count() / batch_ > kMaxElements) {
      return Error(line, absl::StrCat("the output is ", net_.dims(y).ToString(),
                                      ", expected at most ", kMaxElements, " values an example"));
    }
    return y;
  }

  absl::StatusOr<ValueId> Residual(ValueId x, int depth) {
    const int line = Current().number;
    const std::string name = NextName("residual");
    const bool outer = std::exchange(in_residual_, true);
    ASSIGN_OR_RETURN(ValueId y, Braced(x, depth + 1));
    in_residual_ = outer;
    if (y == x) return Error(line, "the branch is empty, expected at least one layer");
    ASSIGN_OR_RETURN(const ValueId shortcut, Shortcut(line, name, x, y));
    y = net_.EndBranch(name + "_drop", y);
    return Checked(line, net_.Add(name, y, shortcut, Activation::kNone));
  }

  // x in the shape of y.
  absl::StatusOr<ValueId> Shortcut(int line, const std::string& name, ValueId x, ValueId y) {
    const Dims from = net_.dims(x), to = net_.dims(y);
    if (from == to) return x;
    const auto fits = [&](int stride) {
      return (from[2] - 1) / stride + 1 == to[2] && (from[3] - 1) / stride + 1 == to[3];
    };
    int stride = 1;
    if (from.rank() == 4 && to.rank() == 4) {
      while (stride <= kMaxStride && !fits(stride)) ++stride;
    }
    if (from.rank() != 4 || to.rank() != 4 || stride > kMaxStride) {
      return Error(line, absl::StrCat("the branch turns ", from.ToString(), " into ", to.ToString(),
                                      ", which no strided shortcut does"));
    }
    x = net_.Conv(name + "_shortcut", x, to[1], {.kernel = 1, .stride = stride});
    return Checked(line, net_.BatchNorm(name + "_shortcut_norm", x));
  }

  absl::StatusOr<ValueId> Concat(ValueId x, int depth) {
    const int opened = Current().number;
    const std::string name = NextName("concat");
    const bool outer = std::exchange(in_residual_, false);
    ++next_;
    std::vector<ValueId> parts;
    while (next_ < lines_.size() && Opens("branch")) {
      ASSIGN_OR_RETURN(parts.emplace_back(), Braced(x, depth + 1));
    }
    if (next_ < lines_.size() && !Closes()) {
      return Error(Current().number, absl::StrCat("found \"", absl::StrJoin(Current().words, " "),
                                                  "\", expected \"branch {\" or \"}\""));
    }
    RETURN_IF_ERROR(Close(opened));
    in_residual_ = outer;
    if (parts.size() < 2) {
      return Error(opened, absl::StrCat("found ", parts.size(), " branches, expected 2 or more"));
    }
    return Checked(opened, net_.Concat(name, parts));
  }

  // "conv1", "conv2", …
  std::string NextName(const std::string& kind) { return absl::StrCat(kind, ++counts_[kind]); }

  const int64_t batch_;
  const std::vector<Line> lines_;
  size_t next_ = 0;
  bool in_residual_ = false;  // the innermost block is a residual's
  NetBuilder net_;
  std::map<std::string, int> counts_;
};

}  // namespace

absl::StatusOr<Net> BuildTextNet(const NetOptions& options, int64_t batch) {
  if (options.text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(absl::StrCat("line 1: the text has ", options.text.size(),
                                                   " bytes, expected at most ", kMaxTextBytes));
  }
  return TextNet(options, batch).Build();
}

std::string NetTextGrammar() {
  std::string text;
  for (const TextLayerRule& rule : TextLayerRules()) {
    absl::StrAppend(&text, rule.name);
    if (rule.number != nullptr) absl::StrAppend(&text, " ", rule.number);
    for (const TextOption& option : rule.options) {
      absl::StrAppend(&text, " ", option.key, "=", option.usual);
    }
    for (const char* word : rule.words) absl::StrAppend(&text, " [", word, "]");
    absl::StrAppend(&text, "\n");
  }
  absl::StrAppend(&text, "residual { … }\nconcat { branch { … } branch { … } … }\n");
  return text;
}

}  // namespace fovea
