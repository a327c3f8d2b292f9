#!/usr/bin/env python3
"""Writes the first 20 steps of PyTorch's optimizers to standard output, for tests/core/ops.

    /usr/bin/python3 tests/golden/optimizers.py > tests/golden/optimizers.txt

Needs PyTorch (Debian: python3-torch). All in double, so that the last digits count. Form:
"start" and "gradient" lines hold the five weights and, per step, their gradients; then for each
case a line "case NAME" and 20 lines with the weights after each step. What the cases are is said
here and, for our rules, in update_torch_test.cc.
"""

import torch

STEPS = 20
WEIGHTS = 5

CASES = {
    "gradient_descent": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, initial_accumulator_value=0.25, eps=1e-4),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0, rho=0.9, eps=1e-4),
    "rms_prop": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-4),
    "rms_prop_centered": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-4, centered=True),
    "rms_prop_centered_momentum": lambda p: torch.optim.RMSprop(
        p, lr=0.01, alpha=0.9, eps=1e-4, centered=True, momentum=0.8, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.99), eps=1e-4, weight_decay=0.01),
    "adam_w": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.99), eps=1e-4, weight_decay=0.1),
}


def line(values):
    return " ".join(repr(float(value)) for value in values)


def main():
    torch.manual_seed(1)
    start = torch.randn(WEIGHTS, dtype=torch.float64)
    # Of different sizes, with a drift, so that no average vanishes.
    scale = torch.tensor([0.01, 0.1, 1.0, 3.0, 10.0], dtype=torch.float64)
    gradients = (torch.randn(STEPS, WEIGHTS, dtype=torch.float64) + 0.5) * scale
    print(f"# PyTorch {torch.__version__}, by tests/golden/optimizers.py")
    print("start", line(start))
    for gradient in gradients:
        print("gradient", line(gradient))
    for name, make in CASES.items():
        weights = start.clone().requires_grad_(True)
        optimizer = make([weights])
        print("case", name)
        for gradient in gradients:
            weights.grad = gradient.clone()
            optimizer.step()
            print(line(weights.detach()))


if __name__ == "__main__":
    main()
