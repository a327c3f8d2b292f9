#include "core/backend/cpu/onednn.h"

#include <algorithm>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/ops/activation.h"

namespace fovea::cpu {
namespace {

Desc DescByTag(const Dims& dims, DType dtype, dnnl_format_tag_t tag) {
  Desc desc;
  CHECK(dnnl_memory_desc_init_by_tag(&desc, dims.rank(), dims.extents().data(), DataType(dtype),
                                     tag) == dnnl_success);
  return desc;
}

// Whether two descriptors are the same in every stride. oneDNN's equality passes over the strides
// of extents of 1, by which its kernels tell formats apart.
bool IsSame(const Desc& a, const Desc& b) {
  if (!dnnl_memory_desc_equal(&a, &b)) return false;
  if (a.format_kind != dnnl_blocked) return true;
  const auto& strides = a.format_desc.blocking.strides;
  return std::equal(strides, strides + a.ndims, b.format_desc.blocking.strides);
}

class InternedDescs {
 public:
  Layout Intern(const Desc& desc) {
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < descs_.size(); ++i) {
      if (IsSame(descs_[i], desc)) return kFirstInterned + Layout(i);
    }
    descs_.push_back(desc);
    return kFirstInterned + Layout(descs_.size() - 1);
  }

  const Desc& Get(Layout layout) {
    absl::MutexLock lock(&mutex_);
    CHECK(layout >= kFirstInterned && layout - kFirstInterned < descs_.size());
    return descs_[layout - kFirstInterned];
  }

 private:
  absl::Mutex mutex_;
  std::deque<Desc> descs_ ABSL_GUARDED_BY(mutex_);  // a deque: references stay valid
};

InternedDescs& Interned() {
  static auto* table = new InternedDescs;
  return *table;
}

}  // namespace

dnnl_data_type_t DataType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return dnnl_f32;
    case DType::kBF16:
      return dnnl_bf16;
    case DType::kF16:
      return dnnl_f16;
    case DType::kU8:
      return dnnl_u8;
    case DType::kI8:
      return dnnl_s8;
    case DType::kI32:
      return dnnl_s32;
    case DType::kF64:
    case DType::kI64:
      break;
  }
  return dnnl_data_type_undef;
}

absl::Status ToStatus(dnnl_status_t status, const char* doing) {
  if (status == dnnl_success) return absl::OkStatus();
  const std::string message = absl::StrCat("oneDNN, ", doing, ": status ", int{status});
  if (status == dnnl_unimplemented) return absl::UnimplementedError(message);
  if (status == dnnl_out_of_memory) return absl::ResourceExhaustedError(message);
  return absl::InternalError(message);
}

dnnl_engine_t Engine() {
  static const dnnl_engine_t engine = [] {
    dnnl_engine_t created = nullptr;
    CHECK(dnnl_engine_create(&created, dnnl_cpu, 0) == dnnl_success);
    return created;
  }();
  return engine;
}

Desc DenseDesc(absl::Span<const int64_t> dims, DType dtype) {
  static constexpr dnnl_format_tag_t kTags[] = {dnnl_a,    dnnl_ab,    dnnl_abc,
                                                dnnl_abcd, dnnl_abcde, dnnl_abcdef};
  CHECK(!dims.empty() && dims.size() <= 6);
  return DescByTag(Dims(dims), dtype, kTags[dims.size() - 1]);
}

Desc DescAs(const Type& type, Layout layout) {
  CHECK(Satisfies(type, layout));
  if (layout == kNhwc) return DescByTag(type.dims, type.dtype, dnnl_nhwc);
  if (layout == kBlocked) {
    return DescByTag(type.dims, type.dtype, BlockChannels() == 16 ? dnnl_nChw16c : dnnl_nChw8c);
  }
  if (layout >= kFirstInterned) return InternedDesc(layout);
  return DenseDesc(type.dims, type.dtype);
}

Desc DescOf(const Type& type) { return DescAs(type, type.layout); }

Desc AnyDesc(const Desc& desc) {
  Desc any;
  CHECK(dnnl_memory_desc_init_by_tag(&any, desc.ndims, desc.dims, desc.data_type,
                                     dnnl_format_tag_any) == dnnl_success);
  return any;
}

Layout Intern(const Desc& desc, const Desc& dense) {
  return dnnl_memory_desc_equal(&desc, &dense) ? kDense : Interned().Intern(desc);
}

Layout WeightsInBlocksOfOutputs(const Type& weights) {
  return Intern(DescByTag(weights.dims, weights.dtype, dnnl_Abcd16a), DenseDesc(weights.dims));
}

const Desc& InternedDesc(Layout layout) { return Interned().Get(layout); }

Eltwise EltwiseOf(const ActivationSpec& activation) {
  switch (activation.kind) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      return {dnnl_eltwise_relu};
    case Activation::kLeakyRelu:
      return {dnnl_eltwise_relu, activation.alpha};
    case Activation::kSigmoid:
      return {dnnl_eltwise_logistic};
    case Activation::kTanh:
      return {dnnl_eltwise_tanh};
    case Activation::kClip:
      return {dnnl_eltwise_clip, activation.alpha, activation.beta};
    case Activation::kElu:
      return {dnnl_eltwise_elu, activation.alpha};
    case Activation::kSelu:
      return {dnnl_eltwise_elu, static_cast<float>(ops::kSeluAlpha), 0,
              static_cast<float>(ops::kSeluScale)};
    case Activation::kGelu:
      return {dnnl_eltwise_gelu_erf};
    case Activation::kSilu:
      return {dnnl_eltwise_swish, 1};
    case Activation::kHardSigmoid:
      return {dnnl_eltwise_linear, activation.alpha, activation.beta};
    case Activation::kHardSwish:
      return {dnnl_eltwise_hardswish};
    case Activation::kSoftplus:
      return {dnnl_eltwise_soft_relu};
  }
  return {};
}

PrimitiveAttr MakeAttr(bool sum, ActivationSpec activation) {
  dnnl_primitive_attr_t attr = nullptr;
  CHECK(dnnl_primitive_attr_create(&attr) == dnnl_success);
  PrimitiveAttr owned(attr);
  CHECK(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success);

  dnnl_post_ops_t post_ops = nullptr;
  CHECK(dnnl_post_ops_create(&post_ops) == dnnl_success);
  if (sum) CHECK(dnnl_post_ops_append_sum(post_ops, 1.0f) == dnnl_success);
  const auto append = [&](const Eltwise& eltwise) {
    CHECK(dnnl_post_ops_append_eltwise(post_ops, eltwise.scale, eltwise.kind, eltwise.alpha,
                                       eltwise.beta) == dnnl_success);
  };
  if (activation.kind != Activation::kNone) append(EltwiseOf(activation));
  if (activation.kind == Activation::kHardSigmoid) append({dnnl_eltwise_clip, 0, 1});
  CHECK(dnnl_primitive_attr_set_post_ops(attr, post_ops) == dnnl_success);
  dnnl_post_ops_destroy(post_ops);
  return owned;
}

absl::StatusOr<PrimitiveDesc> CreateDesc(const void* op_desc, const PrimitiveAttr& attr,
                                         const_dnnl_primitive_desc_t hint) {
  dnnl_primitive_desc_t desc = nullptr;
  RETURN_IF_DNNL_ERROR(dnnl_primitive_desc_create(&desc, op_desc, attr.get(), Engine(), hint),
                       "choosing an implementation");
  return PrimitiveDesc(desc);
}

std::string ImplementationName(const_dnnl_primitive_desc_t desc) {
  const char* name = nullptr;
  CHECK(dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success);
  return name;
}

bool IsSlow(const std::string& implementation) {
  return implementation.find("ref") != std::string::npos;
}

const Desc& ArgumentDesc(const_dnnl_primitive_desc_t desc, int argument) {
  const Desc* found = dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, argument);
  CHECK(found != nullptr);
  return *found;
}

size_t ArgumentBytes(const_dnnl_primitive_desc_t desc, int argument) {
  const Desc* found = dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, argument);
  return found == nullptr ? 0 : dnnl_memory_desc_get_size(found);
}

}  // namespace fovea::cpu
