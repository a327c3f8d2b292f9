"""Fashion-MNIST (60,000 and 10,000 grey pictures of 28 x 28): a small ResNet here and in PyTorch.

Both train the same net with the same initial distribution, batch, augmentation, schedule and seeds;
the gap is that of the mean test accuracies of the last epoch.
"""

import json
import os
import statistics
import subprocess
import sys

from fovea import settings

NET = "resnet20"
BATCH = 128
LEARNING_RATE = 0.2
WEIGHT_DECAY = 0.0005
PAD = 2
FOLDER = "fashion-mnist"


def files(split):
    prefix = {"train": "train", "test": "t10k"}[split]
    return (f"{FOLDER}/{prefix}-images-idx3-ubyte.gz", f"{FOLDER}/{prefix}-labels-idx1-ubyte.gz")


def import_dataset(server):
    server.call("datasets", "create", "fashion", "--labels", ",".join(map(str, range(10))))
    for split in ("train", "test"):
        images, labels = files(split)
        server.call("datasets", "import-path", "fashion", images, "--idx-labels", labels,
                    "--split", split)


def train_here(server, seed, epochs, *more):
    """Test accuracy, and images a second and the share of time that steps waited for data."""
    model = f"fashion-{seed}"
    events = server.train("fashion", model, "--net", NET, "--batch", str(BATCH), "--epochs", str(epochs),
                 "--learning-rate", str(LEARNING_RATE), "--seed", str(seed),
                 *settings(**{"augmentation.pad_and_crop_pixels": PAD,
                              "augmentation.horizontal_flip": 0.5,
                              "weight_decay": WEIGHT_DECAY}), *more)
    speeds = [event["progress"]["images_per_second"] for event in events if "progress" in event]
    waited = server.call("models", "get", model)[-1]["report"]["data_wait_share"]
    accuracy = server.evaluate(model, "fashion")["measures"]["single_label"]["accuracy"]
    return accuracy, statistics.median(speeds), waited


def train_in_torch(data_root, seed, epochs):
    peer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_fashion.py")
    done = subprocess.run(
        [os.environ.get("FOVEA_TORCH_PYTHON", sys.executable), peer, os.path.join(data_root, FOLDER),
         json.dumps({"seed": seed, "epochs": epochs, "batch": BATCH, "pad": PAD,
                     "learning_rate": LEARNING_RATE, "weight_decay": WEIGHT_DECAY})],
        capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run(server, data_root, seeds, epochs, torch_version):
    """Yields (name, value)."""
    import_dataset(server)
    here, speeds, waits = [], [], []
    for seed in range(1, seeds + 1):
        accuracy, speed, waited = train_here(server, seed, epochs)
        here.append(accuracy)
        speeds.append(speed)
        waits.append(waited)
        yield f"fashion_mnist.seed{seed}.accuracy", accuracy
    yield "fashion_mnist.trained_images_per_second", statistics.median(speeds)
    yield "fashion_mnist.data_wait_share", max(waits)
    yield "fashion_mnist.epochs", epochs
    yield "fashion_mnist.accuracy", statistics.mean(here)
    yield "fashion_mnist.accuracy_deviation", statistics.pstdev(here)
    if torch_version is None:
        return
    there, speeds = [], []
    for seed in range(1, seeds + 1):
        done = train_in_torch(data_root, seed, epochs)
        there.append(done["accuracy"])
        speeds.append(done["images_per_second"])
        yield f"fashion_mnist.seed{seed}.torch_accuracy", there[-1]
    yield "fashion_mnist.torch_trained_images_per_second", statistics.median(speeds)
    yield "fashion_mnist.torch_accuracy", statistics.mean(there)
    yield "fashion_mnist.accuracy_gap_to_torch", statistics.mean(here) - statistics.mean(there)
