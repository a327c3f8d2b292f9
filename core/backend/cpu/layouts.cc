#include "core/backend/cpu/layouts.h"

#include "core/backend/cpu/onednn.h"

namespace fovea::cpu {

int BlockChannels() {
  static const int channels = [] {
    const int isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core ? 16 : 8;
  }();
  return channels;
}

size_t LayoutBytes(const Type& type) {
  if (type.layout == kDense || type.layout == kNhwc) return type.dense_bytes();
  const Desc desc = DescOf(type);
  return dnnl_memory_desc_get_size(&desc);
}

int64_t PaddedCount(const Type& type) {
  return static_cast<int64_t>(LayoutBytes(type) / DTypeBytes(type.dtype));
}

Layout StoredLayout(const Dims& dims, Layout wanted) {
  if (dims.rank() != 4 || dims[2] != 1 || dims[3] != 1) return wanted;
  if (wanted == kNhwc) return kDense;
  if (wanted == kBlocked && dims[1] % BlockChannels() == 0) return kDense;
  return wanted;
}

bool HasPaddedChannels(const Type& type) {
  return type.layout == kBlocked && type.dims[1] % BlockChannels() != 0;
}

}  // namespace fovea::cpu
