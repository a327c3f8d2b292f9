// mobilenet_v3_small: inverted residuals with squeeze and excite and hard-swish (Howard, Sandler,
// Chu, Chen, Chen, Tan, Wang, Zhu, Pang, Vasudevan, Le, Adam 2019, table 2), width 1.0. Names and
// batch norm's constants are torchvision's.

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/nets/architectures.h"
#include "core/nets/builder.h"

namespace fovea {

namespace {

constexpr ActivationSpec kRelu = {Activation::kRelu};
constexpr ActivationSpec kHardSwish = {Activation::kHardSwish};
constexpr ActivationSpec kHardSigmoid = {Activation::kHardSigmoid, 1.0f / 6, 0.5f};
constexpr BatchNormOptions kNorm = {.epsilon = 1e-3f, .momentum = 0.99f};

struct Row {  // of table 2
  int kernel, expanded, channels;
  bool squeeze;
  bool hard_swish;
  int stride;
};
constexpr Row kRows[] = {
    {3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
    {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
    {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
    {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1}};

// A quarter of the channels, to a multiple of 8 that is not below 9/10 of it.
int64_t Squeezed(int64_t expanded) {
  const int64_t wanted = expanded / 4;
  const int64_t rounded = std::max<int64_t>(8, (wanted + 4) / 8 * 8);
  return rounded * 10 < wanted * 9 ? rounded + 8 : rounded;
}

ValueId ConvNorm(NetBuilder& net, const std::string& name, ValueId x, int64_t channels,
                 ConvOptions options, ActivationSpec activation) {
  x = net.Conv(name + ".0", x, channels, options);
  x = net.BatchNorm(name + ".1", x, kNorm);
  return net.Activate(name + ".2", x, activation);
}

// Figure 4: 1x1 up, depthwise, squeeze and excite, 1x1 down without activation.
ValueId Block(NetBuilder& net, const std::string& name, ValueId x, const Row& row) {
  const ActivationSpec activation = row.hard_swish ? kHardSwish : kRelu;
  int i = 0;
  const auto part = [&] { return absl::StrCat(name, ".block.", i++); };
  ValueId y = x;
  if (net.channels(x) != row.expanded) {
    y = ConvNorm(net, part(), y, row.expanded, {.kernel = 1}, activation);
  }
  const ConvOptions depthwise = {
      .kernel = row.kernel, .stride = row.stride, .pad = row.kernel / 2, .group = row.expanded};
  y = ConvNorm(net, part(), y, row.expanded, depthwise, activation);
  if (row.squeeze) y = net.SqueezeExcite(part(), y, Squeezed(row.expanded), kHardSigmoid);
  const bool residual = row.stride == 1 && net.channels(x) == row.channels;
  const std::string project = part();
  y = net.Conv(project + ".0", y, row.channels, {.kernel = 1});
  BatchNormOptions norm = kNorm;
  norm.last = residual;
  y = net.BatchNorm(project + ".1", y, norm);
  if (!residual) return y;
  return net.Add(name + ".add", x, net.EndBranch(name + ".drop", y), Activation::kNone);
}

}  // namespace

absl::StatusOr<Net> BuildMobilenetV3Small(const NetOptions& options, int64_t batch) {
  NetBuilder net(options, batch);
  int i = 0;
  const auto feature = [&] { return absl::StrCat("features.", i++); };
  ValueId x = ConvNorm(net, feature(), net.input(), 16, {.stride = 2, .pad = 1}, kHardSwish);
  for (const Row& row : kRows) x = Block(net, feature(), x, row);
  x = ConvNorm(net, feature(), x, 6 * net.channels(x), {.kernel = 1}, kHardSwish);
  x = net.GlobalAveragePool("avgpool", x);
  x = net.Flatten("flatten", x);
  x = net.Dense("classifier.0", x, 1024, Initializer::Kind::kHeNormal);
  x = net.HardSwish("classifier.1", x);
  x = net.Dropout("classifier.2", x);
  return net.Finish("classifier.3", x);
}

}  // namespace fovea
