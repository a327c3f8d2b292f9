// The machine's peak, which "share of peak" is a share of.
#pragma once

namespace fovea {

// Floating-point operations a second that `width` threads reach in independent fused multiply-adds
// on f32 registers (AVX-512, else AVX2 with FMA, else scalar code), run for about `seconds`.
double MeasurePeakFlops(int width, double seconds);

}  // namespace fovea
