// resnet8, resnet20, resnet56, resnet18, resnet34, resnet50: residual nets (He, Zhang, Ren, Sun
// 2015).
//
// resnet8/20/56 follow section 4.2 (CIFAR): a 3x3 stem and three stages of n = 1, 3 or 9 basic
// blocks with 16, 32 and 64 channels; shortcuts that change the shape are 1x1 projections (option
// B). resnet18/34/50 follow table 1 (ImageNet), with the stride of a bottleneck in its 3x3
// convolution (the "v1.5" that PyTorch and MLPerf use). Names are torchvision's.

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/nets/architectures.h"
#include "core/nets/builder.h"

namespace fovea {

namespace {

// The shortcut of a block: x itself, or a projection where the shape changes.
ValueId Shortcut(NetBuilder& net, const std::string& block, ValueId x, int64_t channels,
                 int stride) {
  if (stride == 1 && net.channels(x) == channels) return x;
  x = net.Conv(block + ".downsample.0", x, channels, {.kernel = 1, .stride = stride});
  return net.BatchNorm(block + ".downsample.1", x);
}

// Figure 5, left: two 3x3 convolutions.
ValueId BasicBlock(NetBuilder& net, const std::string& block, ValueId x, int64_t width,
                   int stride) {
  ValueId y = net.Conv(block + ".conv1", x, width, {.stride = stride, .pad = 1});
  y = net.BatchNorm(block + ".bn1", y);
  y = net.Relu(block + ".relu1", y);
  y = net.Conv(block + ".conv2", y, width, {.pad = 1});
  y = net.BatchNorm(block + ".bn2", y, {.last = true});
  y = net.EndBranch(block + ".drop", y);
  return net.Add(block + ".add", y, Shortcut(net, block, x, width, stride), Activation::kRelu);
}

// Figure 5, right: 1x1 down to `width`, 3x3, 1x1 up to four times that.
ValueId Bottleneck(NetBuilder& net, const std::string& block, ValueId x, int64_t width,
                   int stride) {
  ValueId y = net.Conv(block + ".conv1", x, width, {.kernel = 1});
  y = net.BatchNorm(block + ".bn1", y);
  y = net.Relu(block + ".relu1", y);
  y = net.Conv(block + ".conv2", y, width, {.stride = stride, .pad = 1});
  y = net.BatchNorm(block + ".bn2", y);
  y = net.Relu(block + ".relu2", y);
  y = net.Conv(block + ".conv3", y, 4 * width, {.kernel = 1});
  y = net.BatchNorm(block + ".bn3", y, {.last = true});
  y = net.EndBranch(block + ".drop", y);
  return net.Add(block + ".add", y, Shortcut(net, block, x, 4 * width, stride), Activation::kRelu);
}

using Block = ValueId (*)(NetBuilder&, const std::string&, ValueId, int64_t, int);

// Stage number `stage` (from 1); all but the first halve the image.
ValueId Stage(NetBuilder& net, int stage, int blocks, Block block, ValueId x, int64_t width) {
  for (int i = 0; i < blocks; ++i) {
    const int stride = stage > 1 && i == 0 ? 2 : 1;
    x = block(net, absl::StrCat("layer", stage, ".", i), x, width, stride);
  }
  return x;
}

absl::StatusOr<Net> Finish(NetBuilder& net, ValueId x) {
  x = net.GlobalAveragePool("avgpool", x);
  x = net.Flatten("flatten", x);
  x = net.Dropout("dropout", x);
  return net.Finish("fc", x);
}

// 6n + 2 weighted layers.
absl::StatusOr<Net> BuildCifarResnet(const NetOptions& options, int64_t batch, int n) {
  NetBuilder net(options, batch);
  ValueId x = net.Conv("conv1", net.input(), 16, {.pad = 1});
  x = net.BatchNorm("bn1", x);
  x = net.Relu("relu", x);
  for (int stage = 1; stage <= 3; ++stage) {
    x = Stage(net, stage, n, BasicBlock, x, 16 << (stage - 1));
  }
  return Finish(net, x);
}

absl::StatusOr<Net> BuildImagenetResnet(const NetOptions& options, int64_t batch, Block block,
                                        const std::array<int, 4>& blocks) {
  NetBuilder net(options, batch);
  ValueId x = net.Conv("conv1", net.input(), 64, {.kernel = 7, .stride = 2, .pad = 3});
  x = net.BatchNorm("bn1", x);
  x = net.Relu("relu", x);
  x = net.MaxPool("maxpool", x, 3, 2, 1);
  for (int stage = 1; stage <= 4; ++stage) {
    x = Stage(net, stage, blocks[stage - 1], block, x, 64 << (stage - 1));
  }
  return Finish(net, x);
}

}  // namespace

absl::StatusOr<Net> BuildResnet8(const NetOptions& options, int64_t batch) {
  return BuildCifarResnet(options, batch, 1);
}
absl::StatusOr<Net> BuildResnet20(const NetOptions& options, int64_t batch) {
  return BuildCifarResnet(options, batch, 3);
}
absl::StatusOr<Net> BuildResnet56(const NetOptions& options, int64_t batch) {
  return BuildCifarResnet(options, batch, 9);
}
absl::StatusOr<Net> BuildResnet18(const NetOptions& options, int64_t batch) {
  return BuildImagenetResnet(options, batch, BasicBlock, {2, 2, 2, 2});
}
absl::StatusOr<Net> BuildResnet34(const NetOptions& options, int64_t batch) {
  return BuildImagenetResnet(options, batch, BasicBlock, {3, 4, 6, 3});
}
absl::StatusOr<Net> BuildResnet50(const NetOptions& options, int64_t batch) {
  return BuildImagenetResnet(options, batch, Bottleneck, {3, 4, 6, 3});
}

}  // namespace fovea
