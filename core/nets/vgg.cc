// vgg11, vgg11_bn: configuration A of Simonyan and Zisserman 2015, table 1, plain as published and
// with batch norm behind each convolution. The first dense layer takes what the input leaves of the
// image (7x7 of 224 pixels, 1x1 of 32), where torchvision pools to 7x7. Names are torchvision's.

#include <string>

#include "absl/strings/str_cat.h"
#include "core/nets/architectures.h"
#include "core/nets/builder.h"

namespace fovea {

namespace {

constexpr int kPool = 0;  // in a row of channels
constexpr int kConfigurationA[] = {64,  kPool, 128,   kPool, 256, 256,  kPool,
                                   512, 512,   kPool, 512,   512, kPool};
constexpr int64_t kUnits = 4096;

absl::StatusOr<Net> BuildVgg(const NetOptions& options, int64_t batch, bool batch_norm) {
  constexpr auto kHe = Initializer::Kind::kHeNormal;
  NetBuilder net(options, batch);
  ValueId x = net.input();
  int i = 0;  // position in torchvision's Sequential
  const auto feature = [&] { return absl::StrCat("features.", i++); };
  for (int channels : kConfigurationA) {
    if (channels == kPool) {
      x = net.MaxPool(feature(), x, 2, 2, 0);
      continue;
    }
    x = net.Conv(feature(), x, channels, {.pad = 1, .bias = true});
    if (batch_norm) x = net.BatchNorm(feature(), x);
    x = net.Relu(feature(), x);
  }
  x = net.Flatten("flatten", x);
  x = net.Relu("classifier.1", net.Dense("classifier.0", x, kUnits, kHe));
  x = net.Dropout("classifier.2", x);
  x = net.Relu("classifier.4", net.Dense("classifier.3", x, kUnits, kHe));
  x = net.Dropout("classifier.5", x);
  return net.Finish("classifier.6", x);
}

}  // namespace

absl::StatusOr<Net> BuildVgg11(const NetOptions& options, int64_t batch) {
  return BuildVgg(options, batch, false);
}
absl::StatusOr<Net> BuildVgg11Bn(const NetOptions& options, int64_t batch) {
  return BuildVgg(options, batch, true);
}

}  // namespace fovea
