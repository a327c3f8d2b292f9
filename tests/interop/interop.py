"""What the interop tests share: a server of their own, and pictures made from nothing.

Only the standard library here, so that a test can say why it skips.
"""

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230)}
SIDE = 16  # pixels


def skip(reason):
    """Ends the whole test as skipped."""
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def require_pypi(what):
    """Skips unless packages may be fetched from PyPI."""
    if not os.environ.get("FOVEA_INTEROP_PYPI"):
        skip(f"FOVEA_INTEROP_PYPI is not set; with it, {what} is fetched from PyPI")


def virtual_environment(*packages):
    """Python of an environment with these packages of PyPI; made once under the build folder.

    Skips the test that asks when they cannot be had.
    """
    name = re.sub(r"\W+", "-", "-".join(packages))
    folder = os.path.join(os.environ["FOVEA_INTEROP_DIR"], "venv", name)
    python = os.path.join(folder, "bin", "python")
    try:
        if not os.path.exists(os.path.join(folder, "ready")):
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True,
                           capture_output=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages],
                           check=True, capture_output=True, timeout=300)
            with open(os.path.join(folder, "ready"), "w", encoding="utf-8"):
                pass
    except (subprocess.SubprocessError, OSError) as error:
        raise unittest.SkipTest(f"no {', '.join(packages)} from PyPI: {error}") from error
    return python


class Server:
    """fovea-server on free loopback ports with a data folder of its own; a context manager.

    `flags` are more of its command line.
    """

    def __init__(self, *flags):
        self._flags = flags

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="fovea-interop-")
        self.data_dir = os.path.join(self._folder.name, "data")
        ports = os.path.join(self._folder.name, "ports")
        self._log = open(os.path.join(self._folder.name, "log"), "w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [os.environ["FOVEA_SERVER_BINARY"], "--data-dir", self.data_dir,
             "--trainer", os.environ["FOVEA_TRAINER_BINARY"], "--port-file", ports,
             "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", *self._flags],
            stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self.address = f"127.0.0.1:{self._wait_for_port(ports)}"
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait_for_port(self, path):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    found = re.search(r"^grpc=(\d+)$", file.read(), re.MULTILINE)
                if found:
                    return found.group(1)
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("fovea-server did not start:\n" + self.log())

    def log(self):
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def __exit__(self, kind, value, traceback):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if kind is not None:
            print(self.log())
        self._log.close()
        self._folder.cleanup()


def pixels(label, index):
    """A SIDE x SIDE picture of one colour with some noise: bytes, RGB, rows from the top."""
    state = index * 2654435761 + 12345
    data = bytearray()
    for _ in range(SIDE * SIDE):
        for channel in COLOURS[label]:
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            data.append(max(0, min(255, channel + (state >> 16) % 41 - 20)))
    return bytes(data)


def png(rgb):
    """PNG file of pixels()."""
    rows = b"".join(b"\0" + rgb[y * SIDE * 3:(y + 1) * SIDE * 3] for y in range(SIDE))

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def channel_to(address):
    import grpc
    return grpc.insecure_channel(address, options=(("grpc.enable_http_proxy", 0),))


def import_colours(channel, name, per_label):
    """Makes the data set `name` with `per_label` pictures of each colour."""
    from fovea.v1 import datasets_pb2, datasets_pb2_grpc
    stub = datasets_pb2_grpc.DatasetsStub(channel)
    stub.Create(datasets_pb2.CreateDatasetRequest(name=name))

    def requests():
        yield datasets_pb2.ImportRequest(header=datasets_pb2.ImportHeader(dataset=name))
        for index in range(per_label):
            for label in COLOURS:
                split = (datasets_pb2.SPLIT_TEST if index % 5 == 4 else
                         datasets_pb2.SPLIT_VALIDATION if index % 5 == 3 else
                         datasets_pb2.SPLIT_TRAIN)
                yield datasets_pb2.ImportRequest(item=datasets_pb2.ImportItem(
                    image=png(pixels(label, index)), name=f"{label}/{index}.png", split=split,
                    labels=datasets_pb2.LabelSet(names=[label])))

    return stub.Import(requests())


def train_colours(channel, name):
    """Trains `name` on the data set `name`; returns the events."""
    from fovea.v1 import classifier_pb2, classifier_pb2_grpc, training_pb2
    config = training_pb2.TrainingConfig(net="lenet", epochs=8, batch_size=12,
                                         learning_rate=0.02)
    return list(classifier_pb2_grpc.ClassifierStub(channel).Train(
        classifier_pb2.TrainRequest(dataset=name, model=name, config=config)))


def main():
    """unittest.main(), with ctest's exit code when nothing but skips happened, of whole classes too."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if result.wasSuccessful() and result.testsRun <= len(result.skipped):
        sys.exit(SKIPPED)
    sys.exit(not result.wasSuccessful())
