"""The PyTorch peer of fashion_mnist.py: torch_fashion.py FOLDER '{"seed": 1, …}'.

The same resnet20 (core/nets/resnet.cc: three stages of three basic blocks, projections as shortcuts),
the same initial distributions (He normal by fan-in, Glorot uniform for the last layer, biases 0), batch,
pad-and-crop and flip on the bytes, normalisation, momentum, weight decay on weights only, and warm-up
with cosine. Prints {"accuracy": …, "images_per_second": …}.
"""

import gzip
import json
import math
import sys
import time

import numpy
import torch
from torch import nn


def read_idx(path, header):
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def read_split(folder, prefix):
    images = read_idx(f"{folder}/{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    labels = read_idx(f"{folder}/{prefix}-labels-idx1-ubyte.gz", 8)
    return torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(numpy.int64))


class Block(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False),
                                            nn.BatchNorm2d(width))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet20(channels, labels):
    net = nn.Sequential(
        nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1),
        Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1),
        Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, labels))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return net


def normalise(pixels):
    return (pixels.float() / 255 - 0.5) / 0.25


def augment(pixels, pad):
    """Each picture padded with black, cut at a place of its own, mirrored half of the time."""
    n, channels, height, width = pixels.shape
    padded = nn.functional.pad(pixels, (pad, pad, pad, pad))
    top = torch.randint(0, 2 * pad + 1, (n, 1))
    left = torch.randint(0, 2 * pad + 1, (n, 1))
    rows = top + torch.arange(height)
    columns = left + torch.arange(width)
    mirrored = torch.rand(n, 1) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    return padded[torch.arange(n)[:, None, None, None], torch.arange(channels)[None, :, None, None],
                  rows[:, None, :, None], columns[:, None, None, :]]


def rate_at(step, total, warmup, highest):
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1))) / 2


def accuracy(net, images, labels):
    net.eval()
    with torch.no_grad():
        right = sum((net(normalise(images[i:i + 500])).argmax(1) == labels[i:i + 500]).sum().item()
                    for i in range(0, len(images), 500))
    return right / len(images)


def main():
    folder, options = sys.argv[1], json.loads(sys.argv[2])
    torch.manual_seed(options["seed"])
    torch.set_num_threads(options.get("threads", 2))
    train_images, train_labels = read_split(folder, "train")
    test_images, test_labels = read_split(folder, "t10k")
    net = resnet20(1, 10).to(memory_format=torch.channels_last)
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": options["weight_decay"]},
                                 {"params": others}], lr=0.1, momentum=0.9)
    batch = options["batch"]
    steps = len(train_images) // batch
    total = steps * options["epochs"]
    warmup = round(min(1.0, options["epochs"] / 10) * steps)
    step = 0
    started = time.perf_counter()
    for _ in range(options["epochs"]):
        net.train()
        order = torch.randperm(len(train_images))
        for i in range(steps):
            chosen = order[i * batch:(i + 1) * batch]
            pixels = normalise(augment(train_images[chosen], options["pad"]))
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, total, warmup, options["learning_rate"])
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(net(pixels), train_labels[chosen]).backward()
            optimizer.step()
            step += 1
    seconds = time.perf_counter() - started
    print(json.dumps({"accuracy": accuracy(net, test_images, test_labels),
                      "images_per_second": total * batch / seconds}))


main()
