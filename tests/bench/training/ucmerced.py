"""UC Merced (2,100 aerial photos of 128 x 128, 17 labels, 3.3 a picture): mAP and Hamming loss with
each multi-label loss and both classic ways, in one table.

The data set's own split is used; of its training images every fifth is for validation.
"""

import csv
import os
import tempfile

FOLDER = "ucmerced-multilabel"
NET = "resnet8"
SIDE = 64  # pixels: the photos are scaled down, so that the table fits into minutes

BINARY_RELEVANCE = ["--set", "multi_label_way=MULTI_LABEL_WAY_BINARY_RELEVANCE"]

# name: options of `fovea train` beyond the common ones.
VARIANTS = {
    "joint_cross_entropy": [],
    "joint_soft_hamming": ["--set", "soft_hamming="],
    "joint_focal": ["--set", "focal="],
    "joint_asymmetric": ["--set", "asymmetric="],
    "joint_squared_error": ["--set", "squared_error="],
    "relevance_cross_entropy": BINARY_RELEVANCE,
    "relevance_soft_hamming": [*BINARY_RELEVANCE, "--set", "soft_hamming="],
    "relevance_focal": [*BINARY_RELEVANCE, "--set", "focal="],
    "relevance_asymmetric": [*BINARY_RELEVANCE, "--set", "asymmetric="],
    "joint_tuned_for_f1": ["--set", "tuned_thresholds.f1="],
    "joint_tuned_for_hamming": ["--set", "tuned_thresholds.hamming_loss="],
}


def write_manifest(data_root, path):
    """path,split,label… with the folder's pictures."""
    with open(os.path.join(data_root, FOLDER, "labels.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [name for name in rows[0] if name not in ("file", "landuse_class", "split")]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, row in enumerate(rows):
            split = row["split"]
            if split == "train" and number % 5 == 0:
                split = "validation"
            found = [label for label in labels if row[label] == "1"]
            writer.writerow([os.path.join(data_root, FOLDER, row["file"]), split, *found])
    return labels


def run(server, data_root, seeds, epochs):
    """Yields (name, value)."""
    with tempfile.TemporaryDirectory(prefix="fovea-bench-") as folder:
        manifest = os.path.join(folder, "manifest.csv")
        labels = write_manifest(data_root, manifest)
        server.call("datasets", "create", "ucmerced", "--task", "multi-label",
                    "--labels", ",".join(labels))
        server.call("datasets", "import", "ucmerced", manifest, "--split-column")
    yield "ucmerced.epochs", epochs
    for name, options in VARIANTS.items():
        map_sum = hamming_sum = f1_sum = 0.0
        for seed in range(1, seeds + 1):
            server.train("ucmerced", name.replace("_", "-"), "--net", NET, "--batch", "32",
                         "--epochs", str(epochs), "--seed", str(seed),
                         "--set", f"input.width={SIDE}", "--set", f"input.height={SIDE}",
                         "--set", "augmentation.horizontal_flip=0.5",
                         "--set", "augmentation.vertical_flip=0.5", *options)
            measures = server.evaluate(name.replace("_", "-"), "ucmerced")["measures"]["multi_label"]
            map_sum += measures["mean_average_precision"]
            hamming_sum += measures["hamming_loss"]
            f1_sum += measures["micro"]["f1"]
        yield f"ucmerced.{name}.mean_average_precision", map_sum / seeds
        yield f"ucmerced.{name}.hamming_loss", hamming_sum / seeds
        yield f"ucmerced.{name}.micro_f1", f1_sum / seeds
