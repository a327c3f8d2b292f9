// An update rule at work on a few weights: the reference in double, step after step.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/graph/op_def.h"
#include "core/ops/update_rules.h"
#include "core/tensor/tensor.h"
#include "gtest/gtest.h"

namespace fovea::testing {

class UpdateRun {
 public:
  // Slots start as at the start of a training. All weights decay unless terms.decayed says less.
  UpdateRun(Update update, std::vector<double> start) : weights_(std::move(start)) {
    UpdateTerms& terms = TermsOf(update);
    if (terms.decayed == 0) terms.decayed = static_cast<int64_t>(weights_.size());
    terms.scaled = true;
    update_ = update;
    for (int slot = 0; slot < SlotCount(update); ++slot) {
      const SlotStart start_of = SlotStartOf(update, slot);
      slots_.push_back(start_of.parameters ? weights_
                                           : std::vector<double>(weights_.size(), start_of.value));
    }
  }

  void Step(const std::vector<double>& gradient, double rate, double scale = 1) {
    const auto count = static_cast<int64_t>(weights_.size());
    std::vector<Tensor> in;
    const auto add = [&](const std::vector<double>& values) {
      in.emplace_back(Type{DType::kF64, {static_cast<int64_t>(values.size())}});
      std::copy(values.begin(), values.end(), in.back().as<double>());
    };
    add(weights_);
    add(gradient);
    for (const std::vector<double>& slot : slots_) add(slot);
    add({rate});
    if (ReadsStep(update_)) {
      in.emplace_back(Type{DType::kI64, {1}});
      *in.back().as<int64_t>() = step_;
    }
    add({scale});
    std::vector<Tensor> out;
    std::vector<TensorView> inputs, outputs;
    std::vector<Type> types;
    for (const Tensor& tensor : in) types.push_back(tensor.type());
    for (const Tensor& tensor : in) inputs.push_back(tensor);
    const Attrs attrs = std::visit([](const auto& rule) -> Attrs { return rule; }, update_);
    const Node node = {"update", attrs, {}, {}, {}};
    const auto inferred = InferTypes(node, types);
    ASSERT_TRUE(inferred.ok()) << inferred.status();
    for (const Type& type : *inferred) out.emplace_back(type);
    for (const Tensor& tensor : out) outputs.push_back(tensor);
    OpOf(attrs).reference(node, inputs, outputs);
    const auto take = [&](const Tensor& tensor, std::vector<double>& values) {
      values.assign(tensor.as<double>(), tensor.as<double>() + count);
    };
    take(out[0], weights_);
    for (size_t slot = 0; slot < slots_.size(); ++slot) take(out[1 + slot], slots_[slot]);
    ++step_;
  }

  void set_step(int64_t step) { step_ = step; }
  void set_slot(int slot, std::vector<double> values) { slots_[slot] = std::move(values); }
  const std::vector<double>& weights() const { return weights_; }
  const std::vector<double>& slot(int index) const { return slots_[index]; }

 private:
  Update update_;
  std::vector<double> weights_;
  std::vector<std::vector<double>> slots_;
  int64_t step_ = 0;
};

}  // namespace fovea::testing
