// Publishes models with untrained weights, and writes requests for them.
//
//   bench_publish DATA_DIR NET…       "tiny", or nets such as resnet50
//
// fovea-server serves DATA_DIR. DATA_DIR/requests/<net>.<i> are serialised PredictRequests for the
// best label of one picture: of tiny raw pixels, of the others a JPEG of their size.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/backend/backend.h"
#include "core/base/random.h"
#include "fovea/v1/classifier.pb.h"
#include "tests/bench/or_die.h"
#include "tests/bench/pictures.h"
#include "tests/bench/random_model.h"

namespace fovea::bench {
namespace {

constexpr int kRequests = 8;

v1::PredictRequest MakeRequest(const Model& model, int number) {
  const v1::Preprocessing& input = model.manifest.preprocessing();
  v1::PredictRequest request;
  request.set_model(model.manifest.name());
  request.set_top_k(1);
  v1::Image& image = *request.add_images();
  if (input.channels() == 3) {
    image.set_encoded(MakeJpeg(static_cast<int>(input.width()), static_cast<uint64_t>(number + 1)));
    return request;
  }
  v1::RawImage& raw = *image.mutable_raw();
  raw.set_width(input.width());
  raw.set_height(input.height());
  raw.set_channels(input.channels());
  Random random(static_cast<uint64_t>(number + 1));
  for (uint32_t i = 0; i < input.width() * input.height(); ++i) {
    raw.mutable_pixels()->push_back(static_cast<char>(random.Next()));
  }
  return request;
}

void Publish(const std::string& data_dir, const std::string& net) {
  const Model model = RandomModel(net, *OrDie(FindBackend("cpu")));
  PublishModel(data_dir, model);
  const std::filesystem::path folder = std::filesystem::path(data_dir) / "requests";
  std::filesystem::create_directories(folder);
  for (int i = 0; i < kRequests; ++i) {
    std::ofstream file(folder / absl::StrCat(net, ".", i), std::ios::binary);
    if (!MakeRequest(model, i).SerializeToOstream(&file)) {
      OrDie(absl::UnavailableError(absl::StrCat("cannot write to ", folder.string())));
    }
  }
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "found no DATA_DIR NET…\n");
    return 1;
  }
  for (int i = 2; i < argc; ++i) fovea::bench::Publish(argv[1], argv[i]);
}
