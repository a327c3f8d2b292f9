#!/usr/bin/python3
"""Images a second of a PyTorch training step, at its best of many settings: name=value lines.

    tests/bench/torch_training.py [--seconds S] [NET:SIDE:CHANNELS:BATCH ...]

The peer of bench_training_speed: the same nets (resnet8, resnet20 with projection shortcuts;
resnet18), ten labels, random uint8 pixels normalised in the step, cross-entropy, SGD with momentum
and weight decay. Settings tried: memory format, TorchScript or eager, number of threads, and for
bf16 autocast; training/speed.py has glibc's malloc keep memory between steps besides. Each runs S
seconds (default 2); then the best of each precision runs again, in turns with the other, and the
median of those counts.
    resnet8_28x28x1_b128.torch_fp32.images_per_second
    resnet8_28x28x1_b128.torch_bf16.images_per_second
The settings that won go to stderr. With --serve-step PRECISION the winner of that precision is kept
and each line on stdin runs one step and answers its seconds, so that another process can take turns.
"""

import argparse
import itertools
import os
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: a projection where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                            nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return functional.relu(y + self.downsample(x), inplace=True)


def stages(blocks, widths):
    layers, inputs = [], widths[0]
    for stage, (count, width) in enumerate(zip(blocks, widths)):
        for i in range(count):
            layers.append(BasicBlock(inputs, width, 2 if stage > 0 and i == 0 else 1))
            inputs = width
    return layers


class Net(nn.Module):
    """A residual net of core/nets/resnet.cc."""

    def __init__(self, name, channels, labels=10):
        super().__init__()
        if name in ("resnet8", "resnet20"):
            widths, blocks = (16, 32, 64), (1,) * 3 if name == "resnet8" else (3,) * 3
            stem = [nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True)]
        elif name == "resnet18":
            widths, blocks = (64, 128, 256, 512), (2,) * 4
            stem = [nn.Conv2d(channels, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
                    nn.MaxPool2d(3, 2, 1)]
        else:
            raise SystemExit(f'found net "{name}", expected resnet8, resnet20 or resnet18')
        self.body = nn.Sequential(*stem, *stages(blocks, widths))
        self.fc = nn.Linear(widths[-1], labels)

    def forward(self, pixels):
        x = (pixels.to(torch.float32) / 255.0 - 0.5) / 0.25
        return self.fc(self.body(x).mean((2, 3)))


class Step:
    """One training step under one setting."""

    def __init__(self, case, bf16, channels_last, scripted, threads):
        name, side, channels, batch = case
        self.batch, self.bf16, self.threads = batch, bf16, threads
        torch.manual_seed(1)
        net = Net(name, channels).train()
        pixels = torch.randint(0, 256, (batch, channels, side, side), dtype=torch.uint8)
        if channels_last:
            net = net.to(memory_format=torch.channels_last)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4,
                                         foreach=True)
        self.net = torch.jit.script(net) if scripted else net
        self.pixels = pixels
        self.targets = torch.arange(batch) % 10
        self.settings = (f"{'channels_last' if channels_last else 'contiguous'} "
                         f"{'scripted' if scripted else 'eager'} threads={threads}")

    def run(self):
        """Seconds of a step."""
        if torch.get_num_threads() != self.threads:  # to set them costs a third of a step
            torch.set_num_threads(self.threads)
        start = time.perf_counter()
        if self.bf16:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = self.net(self.pixels)
        else:
            logits = self.net(self.pixels)
        loss = functional.cross_entropy(logits.float(), self.targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        loss.item()
        return time.perf_counter() - start


def measure(steps, seconds):
    """Seconds of each of the steps, in turns: a list for each."""
    for step in steps:
        step.run()
        step.run()
    taken = [[] for _ in steps]
    end = time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < end or len(taken[0]) < 5:
        for times, step in zip(taken, steps):
            times.append(step.run())
    return taken


def settings(bf16):
    cores = len(os.sched_getaffinity(0))
    threads = sorted({cores, max(cores // 2, 1)}, reverse=True)
    return itertools.product((bf16,), (False, True), (False, True), threads)


def best_step(case, bf16, seconds):
    best, least = None, float("inf")
    for setting in settings(bf16):
        try:
            step = Step(case, *setting)
            median = statistics.median(measure([step], seconds)[0])
        except RuntimeError as error:  # no kernel for this setting
            print(f"{setting}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        print(f"  {step.settings} bf16={bf16}: {step.batch / median:.1f} images/s", file=sys.stderr)
        if median < least:
            best, least = step, median
    return best


def parse_case(text):
    name, side, channels, batch = text.split(":")
    return name, int(side), int(channels), int(batch)


def serve(step):
    step.run()
    step.run()
    print(f"ready {step.batch} {step.settings}", flush=True)
    for _ in sys.stdin:
        print(f"{step.run():.6f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--serve-step", choices=("fp32", "bf16"))
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    cases = arguments.cases or ["resnet8:28:1:128", "resnet20:32:3:128", "resnet18:224:3:32"]
    if arguments.serve_step:
        return serve(best_step(parse_case(cases[0]), arguments.serve_step == "bf16",
                               arguments.seconds))
    print(f"torch {torch.__version__}", file=sys.stderr)
    for text in cases:
        case = parse_case(text)
        name = "{}_{}x{}x{}_b{}".format(case[0], case[1], case[1], case[2], case[3])
        best = {label: best_step(case, bf16, arguments.seconds)
                for label, bf16 in (("torch_fp32", False), ("torch_bf16", True))}
        best = {label: step for label, step in best.items() if step is not None}
        for label, times in zip(best, measure(list(best.values()), arguments.seconds)):
            print(f"{name}.{label}: {best[label].settings}", file=sys.stderr)
            print(f"{name}.{label}.images_per_second={case[3] / statistics.median(times):.5g}",
                  flush=True)
    return None


if __name__ == "__main__":
    main()
