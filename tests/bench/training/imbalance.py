"""Balanced accuracy with each remedy against imbalance.

trashnet   2,527 photos, 6 classes of 137 to 594: the natural 4.3 : 1.
long_tail  Fashion-MNIST cut to 26 : 1: class c keeps 2600 · 26^(−c/9) training images, 2,600 down to
           100; the test split is whole and balanced.
"""

import gzip
import os
import statistics
import struct
import tempfile

import fashion_mnist
from fovea import Server

# name: options of `fovea train` beyond the common ones.
REMEDIES = {
    "none": [],
    "inverse_frequency": ["--set", "inverse_frequency="],
    "effective_number": ["--set", "effective_number="],
    "over_sampling": ["--set", "over_sampling="],
    "under_sampling": ["--set", "under_sampling="],
    "class_balanced_sampling": ["--set", "class_balanced_sampling="],
    "augment_common_less": ["--set", "common_class_augmentation=0.25"],
    "focal_loss": ["--set", "focal="],
}


def table(server, dataset, prefix, common, seeds):
    """Yields (name, value) for each remedy over the seeds."""
    for name, options in REMEDIES.items():
        found = []
        for seed in range(1, seeds + 1):
            model = f"{dataset}-{name.replace('_', '-')}"
            server.train(dataset, model, "--seed", str(seed), *common, *options)
            measures = server.evaluate(model, dataset)["measures"]["single_label"]
            found.append(measures["balanced_accuracy"])
        yield f"{prefix}.{name}.balanced_accuracy", statistics.mean(found)
        if seeds > 1:
            yield f"{prefix}.{name}.balanced_accuracy_deviation", statistics.pstdev(found)


def trashnet(server, seeds, epochs):
    server.call("datasets", "create", "trashnet", "--split", "0.7,0.1,0.2")
    server.call("datasets", "import-path", "trashnet", "trashnet/images")
    yield "trashnet.epochs", epochs
    common = ["--net", "resnet8", "--batch", "32", "--epochs", str(epochs),
              "--set", "input.width=64", "--set", "input.height=48",
              "--set", "augmentation.horizontal_flip=0.5"]
    yield from table(server, "trashnet", "trashnet", common, seeds)


def read_idx(path):
    with gzip.open(path) as file:
        return file.read()


def write_long_tail(data_root, folder):
    """Writes images.idx and labels.idx, uncompressed."""
    images, labels = (read_idx(os.path.join(data_root, name))
                      for name in fashion_mnist.files("train"))
    left = [round(2600 * 26 ** (-c / 9)) for c in range(10)]
    kept = []
    for index, label in enumerate(labels[8:]):
        if left[label] > 0:
            left[label] -= 1
            kept.append(index)
    with open(os.path.join(folder, "images.idx"), "wb") as file:
        file.write(struct.pack(">4I", 2051, len(kept), 28, 28))
        for index in kept:
            file.write(images[16 + 784 * index:16 + 784 * (index + 1)])
    with open(os.path.join(folder, "labels.idx"), "wb") as file:
        file.write(struct.pack(">2I", 2049, len(kept)))
        file.write(bytes(labels[8 + index] for index in kept))
    for name in fashion_mnist.files("test"):
        with open(os.path.join(folder, os.path.basename(name)), "wb") as file:
            with open(os.path.join(data_root, name), "rb") as source:
                file.write(source.read())


def long_tail(data_root, seeds, epochs):
    """Has a server of its own, whose data root holds the cut data set."""
    with tempfile.TemporaryDirectory(prefix="fovea-bench-") as folder:
        write_long_tail(data_root, folder)
        with Server(folder) as server:
            server.call("datasets", "create", "long-tail", "--labels", ",".join(map(str, range(10))))
            server.call("datasets", "import-path", "long-tail", "images.idx", "--idx-labels",
                        "labels.idx", "--split", "train")
            images, labels = (os.path.basename(name) for name in fashion_mnist.files("test"))
            server.call("datasets", "import-path", "long-tail", images, "--idx-labels", labels,
                        "--split", "test")
            yield "long_tail.epochs", epochs
            common = ["--net", "resnet8", "--batch", "64", "--epochs", str(epochs),
                      "--set", "augmentation.pad_and_crop_pixels=2",
                      "--set", "augmentation.horizontal_flip=0.5"]
            yield from table(server, "long-tail", "long_tail", common, seeds)
