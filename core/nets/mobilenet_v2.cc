// mobilenet_v2: inverted residuals with linear bottlenecks (Sandler, Howard, Zhu, Zhmoginov, Chen
// 2018, tables 1 and 2), width 1.0. Names are torchvision's.

#include <string>

#include "absl/strings/str_cat.h"
#include "core/nets/architectures.h"
#include "core/nets/builder.h"

namespace fovea {

namespace {

ValueId ConvBnRelu6(NetBuilder& net, const std::string& name, ValueId x, int64_t channels,
                    ConvOptions options) {
  x = net.Conv(name + ".0", x, channels, options);
  x = net.BatchNorm(name + ".1", x);
  return net.Relu6(name + ".2", x);
}

// Table 1: 1x1 up to `expansion` times the channels, 3x3 depthwise, 1x1 down without activation.
ValueId InvertedResidualBlock(NetBuilder& net, const std::string& name, ValueId x, int expansion,
                              int64_t channels, int stride) {
  const int64_t expanded = net.channels(x) * expansion;
  int i = 0;  // position in torchvision's Sequential
  const auto part = [&] { return absl::StrCat(name, ".conv.", i++); };
  ValueId y = x;
  if (expansion != 1) y = ConvBnRelu6(net, part(), y, expanded, {.kernel = 1});
  y = ConvBnRelu6(net, part(), y, expanded,
                  {.stride = stride, .pad = 1, .group = static_cast<int>(expanded)});
  y = net.Conv(part(), y, channels, {.kernel = 1});
  const bool residual = stride == 1 && net.channels(x) == channels;
  y = net.BatchNorm(part(), y, {.last = residual});
  if (!residual) return y;
  y = net.EndBranch(name + ".drop", y);
  return net.Add(name + ".add", x, y, Activation::kNone);
}

struct Row {  // of table 2
  int expansion, channels, repeats, stride;
};
constexpr Row kRows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                         {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

}  // namespace

absl::StatusOr<Net> BuildMobilenetV2(const NetOptions& options, int64_t batch) {
  NetBuilder net(options, batch);
  int i = 0;
  const auto feature = [&] { return absl::StrCat("features.", i++); };
  ValueId x = ConvBnRelu6(net, feature(), net.input(), 32, {.stride = 2, .pad = 1});
  for (const Row& row : kRows) {
    for (int repeat = 0; repeat < row.repeats; ++repeat) {
      x = InvertedResidualBlock(net, feature(), x, row.expansion, row.channels,
                                repeat == 0 ? row.stride : 1);
    }
  }
  x = ConvBnRelu6(net, feature(), x, 1280, {.kernel = 1});
  x = net.GlobalAveragePool("avgpool", x);
  x = net.Flatten("flatten", x);
  x = net.Dropout("classifier.0", x);
  return net.Finish("classifier.1", x);
}

}  // namespace fovea
