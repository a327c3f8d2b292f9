// The layers of a net's text form: what a line may say, and what it appends. Private to core/nets.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/nets/builder.h"

namespace fovea {

// One line, taken apart and checked against its layer: every option has a value.
struct TextLayer {
  std::string name;                      // "conv"
  double number = 0;                     // the one without a key
  std::map<std::string, double> values;  // by key
  std::set<std::string> words;           // options without a value
  bool is_last = false;                  // the last of a residual branch

  int value(const char* key) const { return static_cast<int>(values.at(key)); }
  bool has(const char* word) const { return words.count(word) > 0; }
};

struct TextOption {
  const char* key;
  double usual;
  double min, max;
  bool whole = true;  // no fractions
};

struct TextLayerRule {
  const char* name;
  // What the number without a key is, in capitals; nullptr: there is none.
  const char* number = nullptr;
  TextOption number_range = {};  // `usual` NaN: it may not be left out
  std::vector<TextOption> options = {};
  std::vector<const char*> words = {};
  bool needs_image = false;  // [N,C,H,W], not [N,K]
  ValueId (*append)(NetBuilder& net, const TextLayer& layer, const std::string& name,
                    ValueId x) = nullptr;
};

const std::vector<TextLayerRule>& TextLayerRules();

// A line "conv 32 kernel=3 bias" as its words. InvalidArgument: what was found, what expected.
absl::StatusOr<TextLayer> ParseTextLayer(const TextLayerRule& rule,
                                         absl::Span<const std::string> words);

}  // namespace fovea
