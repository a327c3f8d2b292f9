// Pictures that a camera could have taken, as far as their size and the time to decode them go.
#pragma once

#include <cstdint>
#include <string>

namespace fovea::bench {

// The JPEG of a square picture with areas, edges and some noise, another one for each seed.
std::string MakeJpeg(int side, uint64_t seed);

}  // namespace fovea::bench
