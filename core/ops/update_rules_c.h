// The update rules of the optimizers, for one element, in the subset of C that C++, OpenCL C and
// CUDA share. Included once per element type, hence without a guard; the includer defines
//   FOVEA_REAL   the element type
//   FOVEA_RULE   the qualifiers of a function ("static inline")
// and provides sqrt, fabs and pow for it. core/ops/update_rules.h does so for the host.
//
// A rule gets its scalars, which are the same for all elements of a step, the learning rate, the
// gradient g, and pointers to the element's own copies of the parameter and of its slots s[0 … 2].

// ---- What the rules share.

// -1, 0 or 1; a NaN stays one.
FOVEA_RULE FOVEA_REAL Sign(FOVEA_REAL x) {
  return x > 0 ? (FOVEA_REAL)1 : (x < 0 ? (FOVEA_REAL)-1 : x);
}

// Soft thresholding: x brought nearer to 0 by `by`, and not beyond.
FOVEA_RULE FOVEA_REAL Shrink(FOVEA_REAL x, FOVEA_REAL by) {
  const FOVEA_REAL rest = fabs(x) - by;
  return rest <= 0 ? 0 : (x > 0 ? rest : -rest);
}

typedef struct GradientTerms {
  FOVEA_REAL scale;         // 1 for none
  FOVEA_REAL clip_value;    // infinite for none
  FOVEA_REAL weight_decay;  // and the following 0 for none
  FOVEA_REAL l1_decay;
  FOVEA_REAL decoupled_decay;
} GradientTerms;

// What a rule sees of a gradient.
FOVEA_RULE FOVEA_REAL RegularizedGradient(GradientTerms k, FOVEA_REAL gradient, FOVEA_REAL p) {
  const FOVEA_REAL upper = gradient > k.clip_value ? k.clip_value : gradient;
  const FOVEA_REAL clipped = upper < -k.clip_value ? -k.clip_value : upper;
  return clipped * k.scale + k.weight_decay * p + k.l1_decay * Sign(p);
}

// ---- Gradient descent with momentum. Sutskever et al. 2013, in the form in which the rate
// multiplies the velocity:
//   v ← momentum · v + g;  p ← p − rate · (nesterov ? g + momentum · v : v)

typedef struct SgdMomentumScalars {
  FOVEA_REAL momentum;
  int nesterov;
} SgdMomentumScalars;

FOVEA_RULE void SgdMomentumRule(SgdMomentumScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                                FOVEA_REAL* s) {
  const FOVEA_REAL v = k.momentum * s[0] + g;
  s[0] = v;
  *p -= rate * (k.nesterov ? g + k.momentum * v : v);
}

// ---- Adam. Kingma and Ba 2015, algorithm 1. The corrections are 1 − βᵗ, t counted from 1.
//   m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²
//   p ← p − rate · (m / correction1) / (√(v / correction2) + ε)

typedef struct AdamScalars {
  FOVEA_REAL beta1, beta2, epsilon, correction1, correction2;
} AdamScalars;

FOVEA_RULE void AdamRule(AdamScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                         FOVEA_REAL* s) {
  const FOVEA_REAL m = k.beta1 * s[0] + (1 - k.beta1) * g;
  const FOVEA_REAL v = k.beta2 * s[1] + (1 - k.beta2) * g * g;
  s[0] = m;
  s[1] = v;
  *p -= rate * (m / k.correction1) / (sqrt(v / k.correction2) + k.epsilon);
}

// ---- Adagrad. Duchi, Hazan and Singer 2011, with diagonal matrices.
//   h ← h + g²;  p ← p − rate · g / (√h + ε)

typedef struct AdagradScalars {
  FOVEA_REAL epsilon;
} AdagradScalars;

FOVEA_RULE void AdagradRule(AdagradScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                            FOVEA_REAL* s) {
  s[0] += g * g;
  *p -= rate * g / (sqrt(s[0]) + k.epsilon);
}

// ---- Adagrad by dual averaging. Duchi, Hazan and Singer 2011, the primal-dual update (equation 3)
// with the regulariser l1 · |p| + l2 · p² / 2, and the proximal function centred at the start p₀
// instead of 0, so that a net keeps its initial weights; for p₀ = 0 it is theirs. t from 1.
//   h ← h + g²;  z ← z + g
//   p ← argmin over x of  rate · (z x + t (l1 |x| + l2 x² / 2)) + √h (x − p₀)² / 2
//     = shrink(√h p₀ − rate z, rate t l1) / (√h + rate t l2)

typedef struct AdagradDaScalars {
  FOVEA_REAL l1, l2;
  FOVEA_REAL t;
} AdagradDaScalars;

FOVEA_RULE void AdagradDaRule(AdagradDaScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                              FOVEA_REAL* s) {
  s[0] += g * g;
  s[1] += g;
  const FOVEA_REAL h = sqrt(s[0]);
  const FOVEA_REAL divisor = h + rate * k.t * k.l2;
  const FOVEA_REAL x = Shrink(h * s[2] - rate * s[1], rate * k.t * k.l1);
  *p = divisor == 0 ? *p : x / divisor;
}

// ---- Adadelta. Zeiler 2012, algorithm 1, times a rate.
//   v ← ρ v + (1 − ρ) g²;  d = g √(u + ε) / √(v + ε);  u ← ρ u + (1 − ρ) d²;  p ← p − rate · d

typedef struct AdadeltaScalars {
  FOVEA_REAL rho, epsilon;
} AdadeltaScalars;

FOVEA_RULE void AdadeltaRule(AdadeltaScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                             FOVEA_REAL* s) {
  const FOVEA_REAL v = k.rho * s[0] + (1 - k.rho) * g * g;
  const FOVEA_REAL d = g * sqrt(s[1] + k.epsilon) / sqrt(v + k.epsilon);
  s[0] = v;
  s[1] = k.rho * s[1] + (1 - k.rho) * d * d;
  *p -= rate * d;
}

// ---- RMSProp. Tieleman and Hinton 2012, lecture 6.5; centered and with momentum as in Graves
// 2013, equations 38 to 45, with ε outside of the root and the rate outside of the velocity.
//   v ← decay · v + (1 − decay) g²;  centered: m ← decay · m + (1 − decay) g, w = v − m²; else w =
//   v b ← momentum · b + g / (√w + ε);  p ← p − rate · b

typedef struct RmsPropScalars {
  FOVEA_REAL decay, momentum, epsilon;
  int centered;
} RmsPropScalars;

FOVEA_RULE void RmsPropRule(RmsPropScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                            FOVEA_REAL* s) {
  const FOVEA_REAL v = k.decay * s[0] + (1 - k.decay) * g * g;
  const FOVEA_REAL m = k.decay * s[1] + (1 - k.decay) * g;
  const FOVEA_REAL variance = v - m * m;  // rounding may take it below 0
  const FOVEA_REAL w = k.centered ? (variance < 0 ? 0 : variance) : v;
  const FOVEA_REAL b = k.momentum * s[2] + g / (sqrt(w) + k.epsilon);
  s[0] = v;
  s[1] = m;
  s[2] = b;
  *p -= rate * b;
}

// ---- FTRL-proximal. McMahan et al. 2013, algorithm 1; learning_rate_power and l2_shrinkage as in
// TensorFlow. With n ← n + g², root = β + n^(−power), and the q of each step = root / rate:
//   z ← z + g + 2 l2_shrinkage p − (q − q before) p
//   p ← −shrink(z, l1) / (q + 2 l2)
// Written so that it needs no q before, and holds also when the rate changes and when the weights
// do not start at 0: the p of a step solves  z + (q + 2 l2) p + l1 sign(p) = 0  unless it is 0, so
// a = z + q before · p is −2 l2 p − l1 sign(p), or z where p is 0. Without l1 and l2 it is Adagrad.

typedef struct FtrlScalars {
  FOVEA_REAL exponent;  // −learning_rate_power
  FOVEA_REAL beta, l1, l2, l2_shrinkage;
  int square_root;  // exponent is 1/2
} FtrlScalars;

FOVEA_RULE void FtrlRule(FtrlScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                         FOVEA_REAL* s) {
  const FOVEA_REAL w = *p;
  const FOVEA_REAL n = s[0] + g * g;
  const FOVEA_REAL root = k.beta + (k.square_root ? sqrt(n) : pow(n, k.exponent));
  const FOVEA_REAL before = w == 0 ? s[1] : -2 * k.l2 * w - k.l1 * Sign(w);
  const FOVEA_REAL a = before + g + 2 * k.l2_shrinkage * w;
  const FOVEA_REAL divisor = root + 2 * k.l2 * rate;
  const FOVEA_REAL x = Shrink(root * w - rate * a, rate * k.l1);
  s[0] = n;
  s[1] = w == 0 ? a : a - root * w / rate;
  *p = divisor == 0 ? w : x / divisor;
}

// ---- Proximal gradient descent. Duchi and Singer 2009 (FOBOS), equations 2 and 3, and section 5.
//   p ← argmin over x of (x − (p − rate g))² / 2 + rate (l1 |x| + l2 x² / 2)
//     = shrink(p − rate · g, rate · l1) / (1 + rate · l2)

typedef struct ProximalScalars {
  FOVEA_REAL l1, l2;
} ProximalScalars;

FOVEA_RULE void ProximalGradientDescentRule(ProximalScalars k, FOVEA_REAL rate, FOVEA_REAL g,
                                            FOVEA_REAL* p, FOVEA_REAL* s) {
  (void)s;
  *p = Shrink(*p - rate * g, rate * k.l1) / (1 + rate * k.l2);
}

// ---- Proximal Adagrad. The same with each element's own rate; Duchi, Hazan and Singer 2011, the
// composite mirror descent update (equation 4).
//   h ← h + g²;  r = rate / √h;  p ← shrink(p − r g, r l1) / (1 + r l2)

FOVEA_RULE void ProximalAdagradRule(ProximalScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                                    FOVEA_REAL* s) {
  s[0] += g * g;
  const FOVEA_REAL r = s[0] == 0 ? 0 : rate / sqrt(s[0]);
  *p = Shrink(*p - r * g, r * k.l1) / (1 + r * k.l2);
}

// ---- Lion. Chen et al. 2023, algorithm 2 (its weight decay is the decoupled one).
//   p ← p − rate · sign(β₁ m + (1 − β₁) g);  m ← β₂ m + (1 − β₂) g

typedef struct LionScalars {
  FOVEA_REAL beta1, beta2;
} LionScalars;

FOVEA_RULE void LionRule(LionScalars k, FOVEA_REAL rate, FOVEA_REAL g, FOVEA_REAL* p,
                         FOVEA_REAL* s) {
  *p -= rate * Sign(k.beta1 * s[0] + (1 - k.beta1) * g);
  s[0] = k.beta2 * s[0] + (1 - k.beta2) * g;
}
