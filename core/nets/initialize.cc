#include "core/nets/initialize.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/base/status.h"

namespace fovea {

namespace {

// FNV-1a, 64 bits: the same on every machine.
uint64_t HashName(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char byte : name) hash = (hash ^ byte) * 0x100000001b3ULL;
  return hash;
}

struct Fan {
  double in, out;
};

Fan FanOf(const Dims& dims) {
  const double taps = static_cast<double>(dims.count()) / (dims[0] * dims[1]);
  return {dims[1] * taps, dims[0] * taps};
}

// A distribution with mean 0.
struct Spread {
  double deviation;
  bool uniform = false;  // else normal
  double Draw(Random& draws) const {
    if (!uniform) return deviation * draws.Normal();
    return deviation * std::sqrt(3.0) * (2.0 * draws.Uniform() - 1.0);
  }
};

Spread SpreadOf(const Initializer& initializer, const Fan& fan) {
  using Kind = Initializer::Kind;
  switch (initializer.kind) {
    case Kind::kConstant:
    case Kind::kOrthogonal:
      break;
    case Kind::kNormal:
      return {initializer.value};
    case Kind::kHeNormal:
      return {std::sqrt(2.0 / fan.in)};
    case Kind::kHeUniform:
      return {std::sqrt(2.0 / fan.in), true};
    case Kind::kGlorotNormal:
      return {std::sqrt(2.0 / (fan.in + fan.out))};
    case Kind::kGlorotUniform:
      return {std::sqrt(2.0 / (fan.in + fan.out)), true};
    case Kind::kLecunNormal:
      return {std::sqrt(1.0 / fan.in)};
    case Kind::kLecunUniform:
      return {std::sqrt(1.0 / fan.in), true};
  }
  return {0};
}

constexpr int64_t kLanes = 8;  // partial sums kept side by side

double Dot(const double* a, const double* b, int64_t count) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  double sum = 0;
  for (; i < count; ++i) sum += a[i] * b[i];
  for (double lane : lanes) sum += lane;
  return sum;
}

// Makes the rows of a matrix orthonormal. Twice over the rows before is enough (Giraud et al.
// 2005).
void GramSchmidt(std::vector<double>& matrix, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    double* row = matrix.data() + r * columns;
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t before = 0; before < r; ++before) {
        const double* other = matrix.data() + before * columns;
        const double along = Dot(row, other, columns);
        for (int64_t i = 0; i < columns; ++i) row[i] -= along * other[i];
      }
    }
    const double norm = std::sqrt(Dot(row, row, columns));
    for (int64_t i = 0; i < columns; ++i) row[i] /= norm;
  }
}

std::vector<double> Orthogonal(const Dims& dims, Random& draws) {
  const int64_t outputs = dims[0], inputs = dims.count() / dims[0];
  const int64_t rows = std::min(outputs, inputs), columns = std::max(outputs, inputs);
  std::vector<double> matrix(static_cast<size_t>(rows * columns));
  for (double& value : matrix) value = draws.Normal();
  GramSchmidt(matrix, rows, columns);
  if (outputs <= inputs) return matrix;
  std::vector<double> transposed(matrix.size());
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t i = 0; i < inputs; ++i) transposed[o * inputs + i] = matrix[i * columns + o];
  }
  return transposed;
}

// Writes draw() to each element.
template <typename Draw>
void FillWith(const Tensor& tensor, Draw draw) {
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const float value = static_cast<float>(draw());
    if (tensor.type().dtype == DType::kF64) {
      tensor.as<double>()[i] = value;
    } else {
      tensor.as<float>()[i] = value;
    }
  }
}

}  // namespace

absl::StatusOr<Tensor> InitialValue(const Initializer& initializer, const Type& type,
                                    uint64_t seed) {
  if (type.dtype != DType::kF32 && type.dtype != DType::kF64) {
    return absl::InvalidArgumentError(absl::StrCat("initial value of \"", initializer.name,
                                                   "\": type ", type.ToString(),
                                                   ", expected f32 or f64"));
  }
  const bool random = initializer.kind != Initializer::Kind::kConstant;
  if (random && (type.dims.rank() < 2 || type.dims.count() == 0)) {
    return absl::InvalidArgumentError(absl::StrCat("initial value of \"", initializer.name,
                                                   "\": random weights of ", type.ToString(),
                                                   ", expected at least two axes"));
  }
  Tensor tensor(type);
  Random draws(HashKey(seed, HashName(initializer.name)));
  using Kind = Initializer::Kind;
  if (initializer.kind == Kind::kConstant) {
    FillWith(tensor, [&] { return initializer.value; });
  } else if (initializer.kind == Kind::kOrthogonal) {
    const std::vector<double> values = Orthogonal(type.dims, draws);
    auto next = values.begin();
    FillWith(tensor, [&] { return *next++; });
  } else {
    const Spread spread = SpreadOf(initializer, FanOf(type.dims));
    FillWith(tensor, [&] { return spread.Draw(draws); });
  }
  return tensor;
}

absl::Status Initialize(const Net& net, uint64_t seed, Weights& weights) {
  for (const Initializer& initializer : net.initializers) {
    const Value* value = nullptr;
    for (const Value& candidate : weights.values()) {
      if (candidate.name == initializer.name) value = &candidate;
    }
    if (value == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("initialize: the weights have no value \"", initializer.name, "\""));
    }
    ASSIGN_OR_RETURN(const Tensor tensor, InitialValue(initializer, value->type, seed));
    RETURN_IF_ERROR(weights.Set(initializer.name, tensor.view()));
  }
  weights.Touch();
  return absl::OkStatus();
}

}  // namespace fovea
