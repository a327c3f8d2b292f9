#!/usr/bin/env python3
"""Writes schedules.txt: learning rates of PyTorch's schedulers, where their definitions are ours.

Needs Debian's python3-torch (1.13):  /usr/bin/python3 tests/golden/schedules.py
Lines, with tabs between the columns:
  rates    TrainingConfig in text form  steps an epoch  the rate of each step from 0
  plateau  ReduceOnPlateauSchedule in text form  higher or lower  measures  factor after each epoch
"""
import pathlib

import torch
from torch.optim import lr_scheduler as torch_schedules


def optimizer(rate):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)


def rates(make, rate, steps, steps_per_call=1):
    """The rate of each step; the scheduler is told of every steps_per_call-th."""
    sgd = optimizer(rate)
    scheduler = make(sgd)
    found = []
    for step in range(steps):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if (step + 1) % steps_per_call == 0 and step + 1 < steps:
            scheduler.step()
    return found


# Configuration, steps an epoch, PyTorch's scheduler, and after how many steps it is told.
RATES = [
    ("cosine { final_factor: 0 }", 5, 1,
     lambda o: torch_schedules.CosineAnnealingLR(o, T_max=20)),
    ("step { every_epochs: 1 gamma: 0.5 }", 5, 5,
     lambda o: torch_schedules.StepLR(o, step_size=1, gamma=0.5)),
    ("multi_step { epochs: [1, 3] gamma: 0.1 }", 5, 5,
     lambda o: torch_schedules.MultiStepLR(o, milestones=[1, 3], gamma=0.1)),
    ("exponential { decay_rate: 0.9 decay_steps: 1 }", 5, 1,
     lambda o: torch_schedules.ExponentialLR(o, gamma=0.9)),
    ("exponential { decay_rate: 0.96 decay_steps: 4 staircase: true }", 5, 1,
     lambda o: torch_schedules.StepLR(o, step_size=4, gamma=0.96)),
    ("cosine_restarts { first_period_epochs: 0.6 multiplier: 2 final_factor: 0 }", 5, 1,
     lambda o: torch_schedules.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2)),
    ("cosine_restarts { first_period_epochs: 1.4 multiplier: 1 final_factor: 0.1 }", 5, 1,
     lambda o: torch_schedules.CosineAnnealingWarmRestarts(o, T_0=7, eta_min=0.05)),
    ("polynomial { power: 1 end_factor: 0 }", 5, 1,
     lambda o: torch_schedules.PolynomialLR(o, total_iters=20, power=1)),
    ("polynomial { power: 2 end_factor: 0 }", 5, 1,
     lambda o: torch_schedules.PolynomialLR(o, total_iters=20, power=2)),
    ("one_cycle { peak_position: 0.3 start_divisor: 25 final_divisor: 10000 }", 5, 1,
     lambda o: torch_schedules.OneCycleLR(o, max_lr=0.5, total_steps=20, cycle_momentum=False)),
    ("one_cycle { peak_position: 0.5 start_divisor: 4 final_divisor: 100 linear: true }", 5, 1,
     lambda o: torch_schedules.OneCycleLR(o, max_lr=0.5, total_steps=20, pct_start=0.5,
                                          div_factor=4, final_div_factor=100,
                                          anneal_strategy="linear", cycle_momentum=False)),
]

# Our patience counts the epoch that reduces, PyTorch's does not.
PLATEAUS = [
    (dict(factor=0.5, patience=2, min_delta=0, cooldown=0, min_factor=0), "lower",
     [1, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8, 0.7]),
    (dict(factor=0.1, patience=1, min_delta=0.01, cooldown=2, min_factor=0.005), "higher",
     [0.5, 0.505, 0.6, 0.61, 0.605, 0.6, 0.62, 0.62, 0.62, 0.62, 0.62, 0.62]),
    (dict(factor=0.5, patience=3, min_delta=0.1, cooldown=1, min_factor=0), "lower",
     [2, 1.95, 1.92, 1.91, 1.91, 1.91, 1.91, 1.91, 1.7, 1.7, 1.7, 1.7]),
]


def plateau(options, mode, measures):
    sgd = optimizer(1.0)
    scheduler = torch_schedules.ReduceLROnPlateau(
        sgd, mode="min" if mode == "lower" else "max", factor=options["factor"],
        patience=options["patience"] - 1, threshold=options["min_delta"], threshold_mode="abs",
        cooldown=options["cooldown"], min_lr=options["min_factor"], eps=0)
    found = []
    for measure in measures:
        scheduler.step(measure)
        found.append(sgd.param_groups[0]["lr"])
    return found


def main():
    lines = []
    for schedule, steps_per_epoch, per_call, make in RATES:
        config = f"learning_rate: 0.5 epochs: 4 warmup_epochs: 0 {schedule}"
        values = " ".join(repr(x) for x in rates(make, 0.5, 4 * steps_per_epoch, per_call))
        lines.append(f"rates\t{config}\t{steps_per_epoch}\t{values}")
    for options, mode, measures in PLATEAUS:
        schedule = " ".join(f"{name}: {value}" for name, value in options.items())
        values = " ".join(repr(x) for x in plateau(options, mode, measures))
        lines.append(f"plateau\t{schedule}\t{mode}\t{' '.join(map(str, measures))}\t{values}")
    target = pathlib.Path(__file__).with_name("schedules.txt")
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
