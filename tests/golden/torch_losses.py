#!/usr/bin/python3
"""Writes torch_losses.txt: losses and their gradients as PyTorch has them, in double.

    tests/golden/torch_losses.py > tests/golden/torch_losses.txt

Written with Debian's python3-torch 1.13. Where torch.nn.functional has the loss it is that one;
focal, asymmetric, soft Hamming and clipped losses are written out on probabilities and
differentiated by autograd. A line a quantity: "case NAME", then z, t, k (class weights, perhaps
none), loss, dz.
"""
import torch
import torch.nn.functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
ROWS, COLUMNS = 4, 5
# Exact in float, like the weights of a Graph's node.
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5])
LABELS = torch.tensor([3, 0, 2, 2])


def line(name, tensor):
    print(name, *(f"{x:.17g}" for x in tensor.detach().flatten().tolist()))


def case(name, z, t, loss, k=None):
    z = z.clone().requires_grad_()
    value = loss(z)
    value.backward()
    print("case", name)
    line("z", z)
    line("t", t)
    line("k", torch.empty(0) if k is None else k)
    line("loss", value)
    line("dz", z.grad)


def main():
    z = 2 * torch.randn(ROWS, COLUMNS)
    one_hot = F.one_hot(LABELS, COLUMNS).to(z.dtype)
    distribution = F.softmax(torch.randn(ROWS, COLUMNS), dim=1)
    indicators = (torch.rand(ROWS, COLUMNS) < 0.4).to(z.dtype)
    values = torch.randn(ROWS, COLUMNS)
    shares = torch.rand(ROWS, COLUMNS)

    ce = F.cross_entropy
    case("softmax", z, one_hot, lambda x: ce(x, LABELS))
    case("softmax_weighted", z, one_hot, lambda x: ce(x, LABELS, weight=WEIGHTS), WEIGHTS)
    case("softmax_soft", z, distribution, lambda x: ce(x, distribution))
    case("softmax_smoothed", z, one_hot, lambda x: ce(x, LABELS, label_smoothing=0.25))
    case("softmax_smoothed_weighted", z, one_hot,
         lambda x: ce(x, LABELS, weight=WEIGHTS, label_smoothing=0.25), WEIGHTS)
    case("softmax_clipped", z, one_hot,
         lambda x: F.nll_loss(F.softmax(x, dim=1).clamp(0.125, 0.875).log(), LABELS))

    def softmax_focal(x):
        p = F.softmax(x, dim=1).gather(1, LABELS[:, None])
        return (-((1 - p) ** 2) * p.log()).mean()

    case("softmax_focal", z, one_hot, softmax_focal)

    bce = F.binary_cross_entropy_with_logits
    case("sigmoid", z, indicators, lambda x: bce(x, indicators))
    case("sigmoid_weighted", z, indicators, lambda x: bce(x, indicators, weight=WEIGHTS), WEIGHTS)
    case("sigmoid_soft", z, shares, lambda x: bce(x, shares))
    case("sigmoid_clipped", z, indicators,
         lambda x: F.binary_cross_entropy(torch.sigmoid(x).clamp(0.125, 0.875), indicators))

    def sigmoid_focal(x):
        p = torch.sigmoid(x)
        pt = torch.where(indicators == 1, p, 1 - p)
        alpha = torch.where(indicators == 1, torch.tensor(0.25), torch.tensor(0.75))
        return (-alpha * (1 - pt) ** 2 * pt.log()).mean()

    case("sigmoid_focal", z, indicators, sigmoid_focal)

    def asymmetric(x):
        p = torch.sigmoid(x)
        shifted = (p - 0.125).clamp(min=0)
        present = indicators * (1 - p) * p.log()
        absent = (1 - indicators) * shifted ** 4 * (1 - shifted).log()
        return -(present + absent).mean()

    case("asymmetric", z, indicators, asymmetric)

    def soft_hamming(x):
        p = torch.sigmoid(x)
        return (indicators * (1 - p) + (1 - indicators) * p).mean()

    case("soft_hamming", z, indicators, soft_hamming)

    case("squared", z, values, lambda x: F.mse_loss(x, values))
    case("absolute", z, values, lambda x: F.l1_loss(x, values))
    case("huber", z, values, lambda x: F.huber_loss(x, values, delta=0.5))
    case("squared_sigmoid", z, shares, lambda x: F.mse_loss(torch.sigmoid(x), shares))
    case("absolute_sigmoid", z, shares, lambda x: F.l1_loss(torch.sigmoid(x), shares))
    case("huber_sigmoid", z, shares, lambda x: F.huber_loss(torch.sigmoid(x), shares, delta=0.25))

    # Binary relevance: a softmax over the pair (does not apply, applies) of each label.
    pairs = 2 * torch.randn(ROWS, 2 * COLUMNS)

    def two_way(x):
        logits = x.reshape(ROWS, 2, COLUMNS)
        return ce(logits, indicators.long())

    case("two_way", pairs, indicators, two_way)


main()
