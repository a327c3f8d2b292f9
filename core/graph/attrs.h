// One attribute struct per op, and the closed variant over them.
//
// An op's struct says everything about it but its names, its values and its constants, which live
// on the Node. The structs are trivially copyable, comparable, and know no device. Shapes in
// comments are logical: x [N,C,H,W], w [O,I/group,KH,KW].
// In bf16, biases, scales, statistics and gradients of parameters stay f32 (ops/infer.h,
// ParameterType).
// The update rules' structs stand in update_attrs.h, those of integers of 8 bits in
// quantize_attrs.h.
// To add an op: a struct here, a line in Attrs, a file in core/ops, a case in the op table.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>
#include <variant>

#include "core/graph/quantize_attrs.h"
#include "core/graph/update_attrs.h"
#include "core/tensor/type.h"

namespace fovea {

enum class Activation : uint8_t {
  kNone,
  kRelu,
  kLeakyRelu,
  kSigmoid,
  kTanh,
  kClip,
  kElu,
  kSelu,
  kGelu,
  kSilu,
  kHardSigmoid,
  kHardSwish,
  kSoftplus,
};

// y = f(x). kLeakyRelu: alpha is the slope below zero. kClip: alpha, beta are the bounds
// (ReLU6 = clip 0, 6). kElu: x above zero, alpha (eˣ − 1) below (Clevert et al. 2016, equation 7).
// kSelu: λ · elu(x) with the λ and α of Klambauer et al. 2017, equation 14. kGelu: x Φ(x), the
// exact form with erf (Hendrycks and Gimpel 2016). kSilu: x sigmoid(x) (Ramachandran et al. 2017).
// kHardSigmoid: alpha x + beta within [0, 1]. kHardSwish: x · (x/6 + 1/2 within [0, 1]) (Howard et
// al. 2019, section 5.2). kSoftplus: log(1 + eˣ) (Glorot et al. 2011).
struct ActivationSpec {
  Activation kind = Activation::kNone;
  float alpha = 0;
  float beta = 0;
  bool operator==(const ActivationSpec&) const = default;
};

// Geometry of a window that slides over H and W. Extents are floor((in + pads − dilated) / stride)
// + 1.
struct Window {
  std::array<int32_t, 2> kernel = {1, 1};  // height, width
  std::array<int32_t, 2> stride = {1, 1};
  std::array<int32_t, 2> dilation = {1, 1};   // 1: adjacent taps
  std::array<int32_t, 4> pad = {0, 0, 0, 0};  // top, left, bottom, right
  bool operator==(const Window&) const = default;
};

// inputs x, w, [bias [O]], [residual like y]; output y = activation(x ∗ w + bias + residual).
struct Conv {
  Window window = {};
  int32_t group = 1;
  bool has_bias = false;
  bool has_residual = false;
  ActivationSpec activation = {};
  bool operator==(const Conv&) const = default;
};
// A depthwise convolution between two of 1 x 1, the inverted residual of Sandler et al. 2018
// (section 3.3), which FuseInvertedResidual makes of three Convs. inputs x [N,I,H,W], [expansion's
// w [E,I,1,1] and bias [E]], depthwise w [E,1,KH,KW] and bias [E], projection's w [O,E,1,1] and
// bias [O], [residual like y]; output y [N,O,…]. Without an expansion E is I.
struct InvertedResidual {
  Window window = {};  // of the depthwise convolution
  bool has_expansion = false;
  bool has_residual = false;
  ActivationSpec expansion = {};
  ActivationSpec depthwise = {};
  ActivationSpec projection = {};
  bool operator==(const InvertedResidual&) const = default;
};
// inputs dy, w; output dx of dims `input`. `forward` has no residual and no activation.
struct ConvBackwardData {
  Conv forward = {};
  Dims input = {};
  bool operator==(const ConvBackwardData&) const = default;
};
// inputs x, dy; output dw of dims `weight`.
struct ConvBackwardWeights {
  Conv forward = {};
  Dims weight = {};
  bool operator==(const ConvBackwardWeights&) const = default;
};

// inputs x [N,I,H,W], w [I,O/group,KH,KW], [bias [O]]; output y: the transpose of the convolution
// of y with w, plus the bias. Extents are (in − 1) · stride + dilated − pads + output_pad, with
// output_pad less than the stride. Source: Zeiler et al. 2010; Dumoulin and Visin 2016, chapter 4.
struct ConvTranspose {
  Window window = {};
  int32_t group = 1;
  std::array<int32_t, 2> output_pad = {0, 0};  // further rows and columns behind
  bool has_bias = false;
  bool operator==(const ConvTranspose&) const = default;
};

// inputs x [N,K], w [O,K], [bias [O]], [residual [N,O]]; y [N,O] = activation(x wᵀ + bias +
// residual).
struct Dense {
  bool has_bias = false;
  bool has_residual = false;
  ActivationSpec activation = {};
  bool operator==(const Dense&) const = default;
};
// inputs dy [N,O], w [O,K]; output dx [N,K].
struct DenseBackwardData {
  bool operator==(const DenseBackwardData&) const = default;
};
// inputs x [N,K], dy [N,O]; output dw [O,K].
struct DenseBackwardWeights {
  bool operator==(const DenseBackwardWeights&) const = default;
};
// input dy [N,O] or [N,O,H,W]; output db [O]: the sum over all axes but 1.
struct BiasBackward {
  bool operator==(const BiasBackward&) const = default;
};

// Conv and Dense on quantised values: inputs x (u8 or i8), w (i8), [bias f32 [O] in units of scale
// of x · scale of w], [residual, quantised where y is, else f32]; output y of `dtype`: f32, or u8
// or i8 quantised. Node constants: the scales of y (1 where it is f32), of the residual (1 where
// there is none), of x, then the O scales of w.
struct QuantizedConv {
  Conv conv = {};
  DType dtype = DType::kF32;
  bool operator==(const QuantizedConv&) const = default;
};
struct QuantizedDense {
  Dense dense = {};
  DType dtype = DType::kF32;
  bool operator==(const QuantizedDense&) const = default;
};

enum class PoolKind : uint8_t { kMax, kAverage, kL2 };

// input x [N,C,H,W]; output y, and for a training max pool also an opaque workspace. kL2: the root
// of the sum of squares under the window. A max pool of inference takes u8 and i8 as well.
struct Pool {
  PoolKind kind = PoolKind::kMax;
  Window window = {};
  bool global = false;             // the window is the whole of H and W; `window` is ignored
  bool ceil = false;               // extents round up instead of down
  bool count_include_pad = false;  // kAverage: the divisor counts padding
  bool training = false;           // kMax: the second output exists
  bool operator==(const Pool&) const = default;
};
// inputs dy, [workspace of a max pool | x, y of an L2 pool]; output dx of dims `input`.
struct PoolBackward {
  Pool forward = {};
  Dims input = {};
  bool operator==(const PoolBackward&) const = default;
};

// inputs x, scale [C], shift [C], mean [C], variance [C] (running statistics); output y like x =
// scale (x − mean) / √(variance + epsilon) + shift. `momentum` is what training makes of it.
// Source: Ioffe and Szegedy 2015, algorithm 2.
struct BatchNorm {
  float epsilon = 1e-5f;
  float momentum = 0.9f;  // ONNX: running ← momentum · running + (1 − momentum) · batch
  bool operator==(const BatchNorm&) const = default;
};
// inputs x, scale, shift; outputs y, mean [C], biased variance [C], opaque workspace (u8 like x:
// where y > 0; written only when relu). With relu y = max(0, normalised).
struct BatchNormTraining {
  float epsilon = 1e-5f;
  bool relu = false;
  bool operator==(const BatchNormTraining&) const = default;
};
// inputs x, dy, scale, shift, mean, variance, workspace; outputs dx, dscale, dshift.
struct BatchNormBackward {
  float epsilon = 1e-5f;
  bool relu = false;
  bool operator==(const BatchNormBackward&) const = default;
};
// The gradient of BatchNorm in a training graph: that of a frozen layer, whose statistics do not
// depend on x. inputs dy, scale, variance; output dx = dy · scale / √(variance + epsilon).
struct FrozenBatchNormBackward {
  float epsilon = 1e-5f;
  bool operator==(const FrozenBatchNormBackward&) const = default;
};
// inputs mean, variance (biased, of the batch), running mean, running variance; outputs the two
// running values, overwritten. The running variance takes the unbiased one: · count / (count − 1).
struct UpdateStatistics {
  float momentum = 0.9f;
  int64_t count = 1;  // N·H·W of the batch
  bool operator==(const UpdateStatistics&) const = default;
};
// inputs w [O,...], scale, shift, mean, variance ([O]), [bias [O]]; outputs w', bias' such that
// conv(x, w') + bias' = BatchNorm(conv(x, w) + bias). A prologue node.
struct FoldBatchNorm {
  float epsilon = 1e-5f;
  bool has_bias = false;
  bool operator==(const FoldBatchNorm&) const = default;
};

// Whether the derivative of y = f(x) is a function of x, not of y.
constexpr bool DerivativeNeedsInput(Activation kind) {
  return kind == Activation::kGelu || kind == Activation::kSilu || kind == Activation::kHardSwish ||
         kind == Activation::kSoftplus;
}

// inputs x [N,C,...], scale [C], shift [C]; output y like x = scale (x − mean) / √(variance +
// epsilon) + shift, mean and biased variance over each example's groups of C / groups channels.
// Source: Wu and He 2018, equations 1 to 7. groups 1: layer norm over C, H, W (Ba et al. 2016);
// groups C: instance norm (Ulyanov et al. 2016).
struct GroupNorm {
  int32_t groups = 1;
  float epsilon = 1e-5f;
  bool operator==(const GroupNorm&) const = default;
};
// inputs x, dy, scale; outputs dx, dscale, dshift.
struct GroupNormBackward {
  GroupNorm forward = {};
  bool operator==(const GroupNormBackward&) const = default;
};

// input x [N,C,H,W]; output y = x / (bias + alpha/size · Σ x²)^beta, the sum over `size` (odd)
// adjacent channels around x's. Source: Krizhevsky et al. 2012, section 3.3, whose alpha is
// alpha/size here, as in ONNX.
struct LocalResponseNorm {
  int32_t size = 5;
  float alpha = 1e-4f;
  float beta = 0.75f;
  float bias = 1;
  bool operator==(const LocalResponseNorm&) const = default;
};
// inputs x, dy; output dx.
struct LocalResponseNormBackward {
  LocalResponseNorm forward = {};
  bool operator==(const LocalResponseNormBackward&) const = default;
};

// input x; output y = activation(x).
struct Activate {
  ActivationSpec activation = {};
  bool operator==(const Activate&) const = default;
};
// inputs x or y, dy; output dx. x for the kinds whose derivative y does not determine
// (DerivativeNeedsInput), y for the others.
struct ActivateBackward {
  ActivationSpec activation = {};
  bool operator==(const ActivateBackward&) const = default;
};
// inputs a, b of one type; output activation(a + b).
struct Add {
  ActivationSpec activation = {};
  bool operator==(const Add&) const = default;
};

// inputs x [N,C,...], slope [C]; output x above zero, slope · x below (He et al. 2015, equation 1).
struct PRelu {
  bool operator==(const PRelu&) const = default;
};
// inputs x, slope, dy; outputs dx, dslope.
struct PReluBackward {
  bool operator==(const PReluBackward&) const = default;
};
// inputs a, b; output a · b. b has the dims of a, or is a gate [N,C,1,1] that scales the channels
// of a [N,C,H,W] (squeeze and excite: Hu et al. 2018, equation 4).
struct Mul {
  bool operator==(const Mul&) const = default;
};
// inputs a, dy, both [N,C,H,W]; output [N,C,1,1], the gradient of a gate: the sum of a · dy over H
// and W.
struct GateBackward {
  bool operator==(const GateBackward&) const = default;
};

// inputs, two or more, [N,Cᵢ,...]; output [N,ΣCᵢ,...], one behind the other.
struct Concat {
  bool operator==(const Concat&) const = default;
};
// input x [N,C,...]; output its channels [begin, begin + count).
struct SliceChannels {
  int64_t begin = 0;
  int64_t count = 1;
  bool operator==(const SliceChannels&) const = default;
};

// input x; output x with new dims: 0 keeps the extent of that axis, −1 (once) takes what is left.
struct Reshape {
  Dims dims = {};
  bool operator==(const Reshape&) const = default;
};

// inputs x, seed i64 [1], step i64 [1]; output x · mask / (1 − rate). The mask is a function of
// (seed, step, salt, logical index), so the gradient is Dropout of dy. Source: Srivastava 2014.
// The inference form has the one input x and is the identity; TrainingGraph adds the others.
struct Dropout {
  float rate = 0.5f;
  uint32_t salt = 0;         // tells this node's mask from its neighbours'
  bool per_example = false;  // drops whole examples: index is then the example's (stochastic depth,
                             // Huang et al. 2016)
  bool operator==(const Dropout&) const = default;
};

// input pixels u8 [N,H,W,C]; output [N,C,H,W] = (p / 255 − mean) / std. Node constants: the C
// means, then the C standard deviations, as fractions of full scale; with dtype i8 then the scale
// by which the output is quantised.
struct Normalize {
  DType dtype = DType::kF32;  // of the output; Graph::Add puts the graph's float type for kF32
  bool operator==(const Normalize&) const = default;
};

// input x [N,C]; output softmax over axis 1.
struct Softmax {
  bool operator==(const Softmax&) const = default;
};

// ---- Losses, each fused with the last activation, from the logits: nothing overflows.
//
// inputs logits z, targets t, example weights w; z and t [N,C], w [N]; outputs loss [1],
// predictions p [N,C]. Node constants: no or C class weights k. label_smoothing s (Szegedy et al.
// 2016, section 7) replaces t by t' = (1 − s) t + s / classes, where a label by itself has two
// classes; t' is linear in t, so mixed targets (mixup) stay mixed.
//
// Over a distribution, Softmax…: p = softmax(z), the targets of an example sum to 1 (one-hot for
// one label), and the class weights stand in the divisor, that of the targets before smoothing:
//   loss = Σᵢ wᵢ Σ_c k_c t'ᵢ_c f(pᵢ_c) / Σᵢ wᵢ Σ_c k_c tᵢ_c; 0 when the divisor is 0.
// Value by value, all others: p = σ(z) (a regression: z itself unless `sigmoid`), and a target NaN
// is unknown: neither the sum nor the divisor counts it (NaN mixed with anything stays unknown):
//   loss = Σ wᵢ k_l f(zᵢ_l, t'ᵢ_l) / Σ wᵢ, both over the known (i, l); 0 when the divisor is 0.

// f = −log clip(p, clip, 1 − clip); without clipping (0) exact at any p. A clipped p has no
// gradient: the textbook form of cross-entropy on probabilities.
struct SoftmaxCrossEntropy {
  float label_smoothing = 0;  // in [0, 1)
  float clip = 0;             // in [0, 0.5)
  bool operator==(const SoftmaxCrossEntropy&) const = default;
};
// f = (1 − p)^gamma (−log p). The α of the paper are the class weights. Source: Lin et al. 2017,
// equation 5.
struct SoftmaxFocalLoss {
  float label_smoothing = 0;
  float gamma = 2;  // >= 0
  bool operator==(const SoftmaxFocalLoss&) const = default;
};
// f = −t log p − (1 − t) log(1 − p), p clipped as in SoftmaxCrossEntropy.
struct SigmoidCrossEntropy {
  float label_smoothing = 0;
  float clip = 0;
  bool operator==(const SigmoidCrossEntropy&) const = default;
};
// f = −t α (1 − p)^gamma log p − (1 − t) (1 − α) p^gamma log(1 − p). Source: as SoftmaxFocalLoss.
struct SigmoidFocalLoss {
  float label_smoothing = 0;
  float gamma = 2;      // >= 0
  float alpha = 0.25f;  // in [0, 1]
  bool operator==(const SigmoidFocalLoss&) const = default;
};
// f = −t (1 − p)^gamma_plus log p − (1 − t) q^gamma_minus log(1 − q), q = max(p − margin, 0).
// Source: Ridnik et al. 2021, equations 4 to 7; differentiated through all of it.
struct AsymmetricLoss {
  float label_smoothing = 0;
  float gamma_plus = 0;   // >= 0
  float gamma_minus = 4;  // >= 0
  float margin = 0.05f;   // in [0, 1)
  bool operator==(const AsymmetricLoss&) const = default;
};
// f = t (1 − p) + (1 − t) p: the expected share of wrong decisions of one who decides by chance p.
struct SoftHammingLoss {
  float label_smoothing = 0;
  bool operator==(const SoftHammingLoss&) const = default;
};
enum class Deviation : uint8_t { kSquared, kAbsolute, kHuber };
// With e = p − t: f = e² (kSquared), |e| (kAbsolute), or e² / 2 where |e| <= delta and
// delta (|e| − delta / 2) elsewhere (kHuber; Huber 1964). p = σ(z) when `sigmoid`, else z.
struct RegressionLoss {
  Deviation deviation = Deviation::kSquared;
  float delta = 1;  // > 0; kHuber
  bool sigmoid = false;
  bool operator==(const RegressionLoss&) const = default;
};

using Loss = std::variant<SoftmaxCrossEntropy, SoftmaxFocalLoss, SigmoidCrossEntropy,
                          SigmoidFocalLoss, AsymmetricLoss, SoftHammingLoss, RegressionLoss>;
// inputs logits, targets, example weights, dloss [1]; output dlogits. Constants of the forward
// node.
struct LossBackward {
  Loss forward = {};
  bool operator==(const LossBackward&) const = default;
};

// input x [N,2L]; output y [N,L]: y_l = x_{L+l} − x_l. Two logits of a label (it does not apply, it
// does) in, the one logit of their two-way softmax out: softmax(a, b) = (σ(a − b), σ(b − a)).
struct PairDifference {
  bool operator==(const PairDifference&) const = default;
};
// input dy [N,L]; output dx [N,2L] = −dy beside dy.
struct PairDifferenceBackward {
  bool operator==(const PairDifferenceBackward&) const = default;
};

// no input; output a tensor of dims [1] that holds `value`.
struct Fill {
  float value = 0;
  DType dtype = DType::kF32;  // as in Normalize
  bool operator==(const Fill&) const = default;
};

// input x; output the same elements in another layout.
struct Reorder {
  Layout layout = kDense;
  bool operator==(const Reorder&) const = default;
};
// input x; output x in another dtype.
struct Cast {
  DType dtype = DType::kF32;
  bool operator==(const Cast&) const = default;
};

using Attrs =
    std::variant<Conv, ConvBackwardData, ConvBackwardWeights, Dense, DenseBackwardData,
                 DenseBackwardWeights, BiasBackward, Pool, PoolBackward, BatchNorm,
                 BatchNormTraining, BatchNormBackward, FrozenBatchNormBackward, UpdateStatistics,
                 FoldBatchNorm, Activate, ActivateBackward, Add, Reshape, Dropout, Normalize,
                 Softmax, SoftmaxCrossEntropy, SoftmaxFocalLoss, SigmoidCrossEntropy,
                 SigmoidFocalLoss, AsymmetricLoss, SoftHammingLoss, RegressionLoss, LossBackward,
                 PairDifference, PairDifferenceBackward, Fill, SgdMomentum, Adam, Adagrad,
                 AdagradDa, Adadelta, RmsProp, Ftrl, ProximalGradientDescent, ProximalAdagrad, Lion,
                 NormScale, SumGradients, MovingAverage, Reorder, Cast, ConvTranspose, PRelu,
                 PReluBackward, Mul, GateBackward, Concat, SliceChannels, GroupNorm,
                 GroupNormBackward, LocalResponseNorm, LocalResponseNormBackward, InvertedResidual,
                 Quantize, Dequantize, QuantizeWeights, QuantizedConv, QuantizedDense>;

static_assert(std::is_trivially_copyable_v<Attrs>, "attributes are plain data");

}  // namespace fovea
