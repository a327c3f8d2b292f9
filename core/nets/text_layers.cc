#include "core/nets/text_layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/status.h"

namespace fovea {

namespace {

constexpr double kRequired = std::numeric_limits<double>::quiet_NaN();
constexpr double kMaxChannels = 65536;

const TextOption kChannels = {"", kRequired, 1, kMaxChannels};
const TextOption kKernel3 = {"kernel", 3, 1, 255};
const TextOption kKernel2 = {"kernel", 2, 1, 255};
const TextOption kStride1 = {"stride", 1, 1, 255};
const TextOption kStride2 = {"stride", 2, 1, 255};
const TextOption kPad = {"pad", 0, 0, 255};
const TextOption kDilation = {"dilation", 1, 1, 255};
const TextOption kGroups = {"groups", 1, 1, kMaxChannels};

ConvOptions ConvOf(const TextLayer& layer) {
  return {.kernel = layer.value("kernel"),
          .stride = layer.value("stride"),
          .pad = layer.value("pad"),
          .dilation = layer.value("dilation"),
          .bias = layer.has("bias")};
}

ValueId AppendConv(NetBuilder& net, const TextLayer& layer, const std::string& name, ValueId x) {
  ConvOptions options = ConvOf(layer);
  options.group = layer.value("groups");
  return net.Conv(name, x, static_cast<int64_t>(layer.number), options);
}

// The number is how many outputs each channel has.
ValueId AppendDepthwise(NetBuilder& net, const TextLayer& layer, const std::string& name,
                        ValueId x) {
  ConvOptions options = ConvOf(layer);
  options.group = static_cast<int>(net.channels(x));
  return net.Conv(name, x, net.channels(x) * static_cast<int64_t>(layer.number), options);
}

ValueId AppendSeparable(NetBuilder& net, const TextLayer& layer, const std::string& name,
                        ValueId x) {
  return net.DepthwiseSeparable(name, x, static_cast<int64_t>(layer.number), ConvOf(layer));
}

ValueId AppendConvTranspose(NetBuilder& net, const TextLayer& layer, const std::string& name,
                            ValueId x) {
  const ConvTransposeOptions options = {.kernel = layer.value("kernel"),
                                        .stride = layer.value("stride"),
                                        .pad = layer.value("pad"),
                                        .output_pad = layer.value("output_pad"),
                                        .group = layer.value("groups"),
                                        .dilation = layer.value("dilation"),
                                        .bias = layer.has("bias")};
  return net.ConvTranspose(name, x, static_cast<int64_t>(layer.number), options);
}

ValueId AppendDense(NetBuilder& net, const TextLayer& layer, const std::string& name, ValueId x) {
  if (net.dims(x).rank() > 2) x = net.Flatten(name + "_flatten", x);
  return net.Dense(name, x, static_cast<int64_t>(layer.number), Initializer::Kind::kHeNormal);
}

ValueId AppendBatchNorm(NetBuilder& net, const TextLayer& layer, const std::string& name,
                        ValueId x) {
  return net.BatchNorm(name, x, {.last = layer.is_last});
}

ValueId AppendGroupNorm(NetBuilder& net, const TextLayer& layer, const std::string& name,
                        ValueId x) {
  return net.GroupNorm(name, x, layer.value("groups"));
}

ValueId AppendLayerNorm(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.GroupNorm(name, x, 1);
}

ValueId AppendInstanceNorm(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.GroupNorm(name, x, net.channels(x));
}

ValueId AppendResponseNorm(NetBuilder& net, const TextLayer& layer, const std::string& name,
                           ValueId x) {
  const auto real = [&](const char* key) { return static_cast<float>(layer.values.at(key)); };
  return net.LocalResponseNorm(name, x,
                               {layer.value("size"), real("alpha"), real("beta"), real("bias")});
}

template <Activation kind>
ValueId AppendActivation(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.Activate(name, x, {kind});
}

ValueId AppendLeakyRelu(NetBuilder& net, const TextLayer& layer, const std::string& name,
                        ValueId x) {
  return net.Activate(name, x,
                      {Activation::kLeakyRelu, static_cast<float>(layer.values.at("slope"))});
}

ValueId AppendElu(NetBuilder& net, const TextLayer& layer, const std::string& name, ValueId x) {
  return net.Activate(name, x, {Activation::kElu, static_cast<float>(layer.values.at("alpha"))});
}

ValueId AppendHardSigmoid(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.Activate(name, x, {Activation::kHardSigmoid, 1.0f / 6, 0.5f});
}

ValueId AppendRelu6(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.Relu6(name, x);
}

ValueId AppendPRelu(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.PRelu(name, x);
}

template <PoolKind kind>
ValueId AppendPool(NetBuilder& net, const TextLayer& layer, const std::string& name, ValueId x) {
  return net.Pool(name, x, kind,
                  {.kernel = layer.value("kernel"),
                   .stride = layer.value("stride"),
                   .pad = layer.value("pad"),
                   .ceil = layer.has("ceil")});
}

template <PoolKind kind>
ValueId AppendGlobalPool(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.GlobalPool(name, x, kind);
}

ValueId AppendSqueezeExcite(NetBuilder& net, const TextLayer& layer, const std::string& name,
                            ValueId x) {
  const ActivationSpec hard = {Activation::kHardSigmoid, 1.0f / 6, 0.5f};
  const int64_t squeezed = std::max<int64_t>(1, net.channels(x) / layer.value("reduction"));
  return net.SqueezeExcite(name, x, squeezed,
                           layer.has("hard") ? hard : ActivationSpec{Activation::kSigmoid});
}

ValueId AppendFlatten(NetBuilder& net, const TextLayer&, const std::string& name, ValueId x) {
  return net.Flatten(name, x);
}

ValueId AppendDropout(NetBuilder& net, const TextLayer& layer, const std::string& name, ValueId x) {
  return net.DropoutOf(name, x, static_cast<float>(layer.number));
}

std::vector<TextLayerRule> MakeRules() {
  const std::vector<TextOption> conv = {kKernel3, kStride1, kPad, kDilation};
  const std::vector<TextOption> pool = {kKernel2, kStride2, kPad};
  std::vector<TextOption> grouped = conv, transposed = {kKernel2, kStride2, kPad, kDilation};
  grouped.push_back(kGroups);
  transposed.push_back({"output_pad", 0, 0, 254});
  transposed.push_back(kGroups);
  return {
      {"conv", "CHANNELS", kChannels, grouped, {"bias"}, true, AppendConv},
      {"depthwise", "MULTIPLIER", {"", 1, 1, 256}, conv, {"bias"}, true, AppendDepthwise},
      {"separable", "CHANNELS", kChannels, conv, {"bias"}, true, AppendSeparable},
      {"conv_transpose", "CHANNELS", kChannels, transposed, {"bias"}, true, AppendConvTranspose},
      {"dense", "UNITS", kChannels, {}, {}, false, AppendDense},
      {"batch_norm", nullptr, {}, {}, {}, false, AppendBatchNorm},
      {"group_norm", nullptr, {}, {{"groups", 8, 1, kMaxChannels}}, {}, false, AppendGroupNorm},
      {"layer_norm", nullptr, {}, {}, {}, false, AppendLayerNorm},
      {"instance_norm", nullptr, {}, {}, {}, true, AppendInstanceNorm},
      {"local_response_norm",
       nullptr,
       {},
       {{"size", 5, 1, 255},
        {"alpha", 1e-4, 0, 1e6, false},
        {"beta", 0.75, 0, 100, false},
        {"bias", 2, 1e-6, 1e6, false}},
       {},
       true,
       AppendResponseNorm},
      {"relu", nullptr, {}, {}, {}, false, AppendActivation<Activation::kRelu>},
      {"relu6", nullptr, {}, {}, {}, false, AppendRelu6},
      {"leaky_relu", nullptr, {}, {{"slope", 0.01, 0, 1, false}}, {}, false, AppendLeakyRelu},
      {"prelu", nullptr, {}, {}, {}, false, AppendPRelu},
      {"elu", nullptr, {}, {{"alpha", 1, 1e-6, 1e6, false}}, {}, false, AppendElu},
      {"selu", nullptr, {}, {}, {}, false, AppendActivation<Activation::kSelu>},
      {"gelu", nullptr, {}, {}, {}, false, AppendActivation<Activation::kGelu>},
      {"silu", nullptr, {}, {}, {}, false, AppendActivation<Activation::kSilu>},
      {"sigmoid", nullptr, {}, {}, {}, false, AppendActivation<Activation::kSigmoid>},
      {"tanh", nullptr, {}, {}, {}, false, AppendActivation<Activation::kTanh>},
      {"hard_sigmoid", nullptr, {}, {}, {}, false, AppendHardSigmoid},
      {"hard_swish", nullptr, {}, {}, {}, false, AppendActivation<Activation::kHardSwish>},
      {"softplus", nullptr, {}, {}, {}, false, AppendActivation<Activation::kSoftplus>},
      {"max_pool", nullptr, {}, pool, {"ceil"}, true, AppendPool<PoolKind::kMax>},
      {"average_pool", nullptr, {}, pool, {"ceil"}, true, AppendPool<PoolKind::kAverage>},
      {"l2_pool", nullptr, {}, pool, {}, true, AppendPool<PoolKind::kL2>},
      {"global_max_pool", nullptr, {}, {}, {}, true, AppendGlobalPool<PoolKind::kMax>},
      {"global_average_pool", nullptr, {}, {}, {}, true, AppendGlobalPool<PoolKind::kAverage>},
      {"global_l2_pool", nullptr, {}, {}, {}, true, AppendGlobalPool<PoolKind::kL2>},
      {"squeeze_excite",
       nullptr,
       {},
       {{"reduction", 16, 1, kMaxChannels}},
       {"hard"},
       true,
       AppendSqueezeExcite},
      {"flatten", nullptr, {}, {}, {}, false, AppendFlatten},
      {"dropout", "RATE", {"", kRequired, 0, 0.999, false}, {}, {}, false, AppendDropout},
  };
}

// ---- A line's words.

absl::StatusOr<double> ParseNumber(absl::string_view what, const std::string& text,
                                   const TextOption& range) {
  double value = 0;
  const bool is_number = absl::SimpleAtod(text, &value) && std::isfinite(value);
  if (is_number && value >= range.min && value <= range.max &&
      (!range.whole || value == std::floor(value))) {
    return value;
  }
  return absl::InvalidArgumentError(absl::StrCat(what, " is \"", text, "\", expected a ",
                                                 range.whole ? "whole number" : "number", " from ",
                                                 range.min, " to ", range.max));
}

// What may stand on a line of this layer.
std::string Takes(const TextLayerRule& rule) {
  std::vector<std::string> parts;
  if (rule.number != nullptr) parts.emplace_back(rule.number);
  for (const TextOption& option : rule.options) {
    parts.push_back(absl::StrCat(option.key, "=", option.usual));
  }
  parts.insert(parts.end(), rule.words.begin(), rule.words.end());
  return parts.empty() ? "nothing" : absl::StrJoin(parts, " ");
}

absl::Status Unexpected(const TextLayerRule& rule, const std::string& word) {
  return absl::InvalidArgumentError(absl::StrCat("\"", word, "\" is not an option of ", rule.name,
                                                 ", which takes ", Takes(rule)));
}

absl::Status TakeOption(const TextLayerRule& rule, const std::string& word, TextLayer& layer,
                        std::set<std::string>& seen) {
  const std::pair<std::string, std::string> sides = absl::StrSplit(word, absl::MaxSplits('=', 1));
  if (!seen.insert(sides.first).second) {
    return absl::InvalidArgumentError(absl::StrCat("\"", sides.first, "\" stands twice"));
  }
  const bool has_value = word.find('=') != std::string::npos;
  for (const TextOption& option : rule.options) {
    if (!has_value || sides.first != option.key) continue;
    ASSIGN_OR_RETURN(layer.values[option.key], ParseNumber(option.key, sides.second, option));
    return absl::OkStatus();
  }
  for (const char* known : rule.words) {
    if (has_value || word != known) continue;
    layer.words.insert(word);
    return absl::OkStatus();
  }
  return Unexpected(rule, word);
}

bool LooksLikeNumber(const std::string& word) {
  double value = 0;
  return absl::SimpleAtod(word, &value);
}

}  // namespace

const std::vector<TextLayerRule>& TextLayerRules() {
  static const auto* rules = new std::vector<TextLayerRule>(MakeRules());
  return *rules;
}

absl::StatusOr<TextLayer> ParseTextLayer(const TextLayerRule& rule,
                                         absl::Span<const std::string> words) {
  TextLayer layer;
  layer.name = rule.name;
  layer.number = rule.number_range.usual;
  for (const TextOption& option : rule.options) layer.values[option.key] = option.usual;
  std::set<std::string> seen;
  bool has_number = false;
  for (const std::string& word : words.subspan(1)) {
    if (rule.number != nullptr && !has_number && LooksLikeNumber(word)) {
      ASSIGN_OR_RETURN(layer.number, ParseNumber(rule.number, word, rule.number_range));
      has_number = true;
    } else {
      RETURN_IF_ERROR(TakeOption(rule, word, layer, seen));
    }
  }
  if (rule.number != nullptr && !has_number && std::isnan(rule.number_range.usual)) {
    return absl::InvalidArgumentError(absl::StrCat(rule.name, " without ", rule.number,
                                                   ", expected ", rule.name, " ", Takes(rule)));
  }
  return layer;
}

}  // namespace fovea
