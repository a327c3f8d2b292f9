"""Speed of the service: its share of the engine's own, latencies, overload, and beside a training.

Everyone is a process of this machine: fovea-server, the engine alone, an empty gRPC service, and the
load generator, which takes its part of the same cores (<name>.load_cpu_share). What is compared takes
turns; a ratio is the median of those of the turns.
"""

import glob
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

NETS = ("resnet50", "mobilenet_v2")
OUTSTANDING = {"tiny": (16, 64, 256), "resnet50": (4, 8, 16), "mobilenet_v2": (4, 8, 16, 32)}
TURNS, TURN_SECONDS, TRY_SECONDS, TINY_SECONDS = 5, 3, 1.5, 1
OPEN_SECONDS = 20  # of an open loop: enough calls for a 99th percentile
LOAD = 0.5  # share of the capacity, where latency counts
OVERLOAD, FIRST_MINUTE = 1.1, 60
TRAINING_TURNS = 3


def program(name):
    return os.path.join(os.environ["FOVEA_BIN"], name)


def bench(name):
    return program(f"tests/bench/bench_{name}")


def pairs(text):
    return dict(line.split("=", 1) for line in text.split())


class Server:
    """fovea-server on a folder of its own, with models that have untrained weights."""

    def __init__(self, nets, options=()):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = self._folder.name
        subprocess.run([bench("publish"), self.folder, *nets], check=True)
        ports = os.path.join(self.folder, "ports")
        self._process = subprocess.Popen(
            [program("server/fovea-server"), "--data-dir", self.folder, "--port-file", ports,
             "--data-root", self.folder, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
             "--trainer", program("trainer/fovea-trainer"), "--log-level", "error", *options],
            stdout=subprocess.DEVNULL)
        while not os.path.exists(ports):
            if self._process.poll() is not None:
                raise RuntimeError(f"fovea-server: exit code {self._process.returncode}")
            time.sleep(0.05)
        with open(ports, encoding="utf-8") as file:
            self.address = f"127.0.0.1:{pairs(file.read())['grpc']}"
        for net in nets:  # until it is loaded, and every executor has its memory
            load(self.address, self.requests(net), outstanding=8, seconds=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def requests(self, net):
        return sorted(glob.glob(os.path.join(self.folder, "requests", f"{net}.*")))

    def resident_megabytes(self):
        with open(f"/proc/{self._process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def fovea(self, *arguments):
        """The command's output."""
        return subprocess.run([program("client/fovea"), "--server", self.address, *arguments],
                              check=True, stdout=subprocess.PIPE, text=True).stdout


class EmptyService:
    """Answers at once, as many bytes as Fovea does for one label of a small model."""

    ANSWER_BYTES = 60

    def __init__(self):
        self._process = subprocess.Popen([bench("empty_service"), str(self.ANSWER_BYTES)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = f"127.0.0.1:{pairs(self._process.stdout.readline())['port']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()


class Engine:
    """The engine alone, decoding included, in its fastest arrangement."""

    def __init__(self, net, requests):
        self._process = subprocess.Popen([bench("engine_with_decode"), net, *requests],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         env={**os.environ, "GOMP_SPINCOUNT": "1000"})  # as the server
        self.arrangement = self._process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def images_per_second(self):
        return self._ask(TURN_SECONDS)

    def milliseconds_of_one(self):
        return 1e3 * self._ask("latency")


def start_load(address, requests, seconds, options):
    command = [bench("load"), "--target", address, "--seconds", str(seconds)]
    for name, value in options.items():
        if value is not False:
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return subprocess.Popen([*command, *requests], stdout=subprocess.PIPE, text=True)


def finish_load(process):
    output = process.communicate()[0]
    if process.returncode != 0:
        raise RuntimeError(f"bench_load: exit code {process.returncode}")
    return {name: float(value) for name, value in pairs(output).items()}


def load(address, requests, seconds=TURN_SECONDS, **options):
    """What bench_load says, by name; every call must have been answered."""
    result = finish_load(start_load(address, requests, seconds, options))
    lost = {name: result[name] for name in ("refused", "failed", "unanswered") if result[name]}
    if lost:
        raise RuntimeError(f"found {lost}, expected answers only")
    return result


def best_outstanding(address, requests, choices):
    return max(choices, key=lambda n: load(address, requests, TRY_SECONDS, outstanding=n)
               ["requests_per_second"])


def open_loop(server, net, rate, even=True):
    return load(server.address, server.requests(net), OPEN_SECONDS, rate=rate, even=even)


def capacity(server, net):
    """Requests a second at the best concurrency."""
    requests = server.requests(net)
    outstanding = best_outstanding(server.address, requests, OUTSTANDING[net])
    return load(server.address, requests, outstanding=outstanding)["requests_per_second"]


def latency(server, engine, net, rate):
    compute = engine.milliseconds_of_one()
    yield f"{net}.compute_ms", compute
    for prefix, even in ((net, True), (f"{net}.poisson", False)):
        answers = open_loop(server, net, rate, even=even)
        yield f"{prefix}.p50_ms", answers["p50_ms"]
        yield f"{prefix}.p99_ms", answers["p99_ms"]
        yield f"{prefix}.p99_over_compute", answers["p99_ms"] / compute


def speed(net):
    with Server([net]) as server, Engine(net, server.requests(net)) as engine:
        requests = server.requests(net)
        outstanding = best_outstanding(server.address, requests, OUTSTANDING[net])
        turns = [(engine.images_per_second(), load(server.address, requests, outstanding=outstanding))
                 for _ in range(TURNS)]
        reached = statistics.median(turn["requests_per_second"] for _, turn in turns)
        yield f"{net}.engine_arrangement", engine.arrangement
        yield f"{net}.engine_images_per_second", statistics.median(alone for alone, _ in turns)
        yield f"{net}.outstanding", outstanding
        yield f"{net}.service_images_per_second", reached
        yield f"{net}.load_cpu_share", statistics.median(turn["cpu_share"] for _, turn in turns)
        yield (f"{net}.service_share", statistics.median(
            turn["requests_per_second"] / alone for alone, turn in turns))
        yield from latency(server, engine, net, LOAD * reached)


def over_empty():
    with Server(["tiny"]) as server, EmptyService() as empty:
        addresses = {"empty": empty.address, "tiny": server.address}
        turns = {(name, outstanding): [] for name in addresses for outstanding in OUTSTANDING["tiny"]}
        for _ in range(TURNS):
            for (name, outstanding), results in turns.items():
                results.append(load(addresses[name], server.requests("tiny"), TINY_SECONDS,
                                    outstanding=outstanding))
        medians = {key: statistics.median(turn["requests_per_second"] for turn in results)
                   for key, results in turns.items()}
        best = {name: max((key for key in medians if key[0] == name), key=medians.get)
                for name in addresses}
        for name, key in best.items():
            yield f"{name}.outstanding", key[1]
            yield f"{name}.requests_per_second", medians[key]
            yield (f"{name}.load_cpu_share",
                   statistics.median(turn["cpu_share"] for turn in turns[key]))
        yield "tiny.over_empty_grpc", statistics.median(
            ours["requests_per_second"] / theirs["requests_per_second"]
            for ours, theirs in zip(turns[best["tiny"]], turns[best["empty"]]))


def service(nets=NETS):
    yield from over_empty()
    for net in nets:
        yield from speed(net)


def overload(minutes, net="mobilenet_v2"):
    with Server([net]) as server:
        rate = OVERLOAD * capacity(server, net)
        process = start_load(server.address, server.requests(net), 60 * minutes,
                             {"rate": rate, "check": True})
        start, grown, settled = time.monotonic(), 0, None
        while process.poll() is None and time.monotonic() < start + 60 * minutes:
            time.sleep(1)
            resident = server.resident_megabytes()
            if time.monotonic() < start + FIRST_MINUTE:
                continue
            settled = resident if settled is None else settled
            grown = max(grown, resident - settled)
        result = finish_load(process)
        yield "overload.rate", rate
        yield "overload.minutes", minutes
        yield "overload.resident_megabytes", settled
        yield "overload.memory_growth_megabytes", grown
        yield "overload.requests_per_second", result["requests_per_second"]
        yield "overload.p99_ms", result["p99_ms"]
        yield "overload.refused", result["refused"]
        yield "overload.wrong", result["wrong"]
        yield "overload.neither_answered_nor_refused", result["failed"] + result["unanswered"]


def import_pictures(server, count=4000):
    """A data set of random pictures in CIFAR-10's format."""
    pixels = random.Random(1)
    with open(os.path.join(server.folder, "pictures.bin"), "wb") as file:
        for i in range(count):
            file.write(bytes([i % 10]) + pixels.randbytes(3 * 32 * 32))
    server.fovea("datasets", "create", "pictures")
    server.fovea("datasets", "import-path", "pictures", "pictures.bin")


def start_training(server):
    """The job, once it trains."""
    job = json.loads(server.fovea("--json", "train", "pictures", "--net", "resnet20", "--epochs",
                                  "1000", "--detach").splitlines()[0])["job_id"]
    while "progress" not in json.loads(server.fovea("--json", "jobs", "get", job)):
        time.sleep(0.2)
    return job


def training(net="mobilenet_v2"):
    with Server([net]) as server:
        import_pictures(server)
        rate = LOAD * capacity(server, net)
        turns = []
        for _ in range(TRAINING_TURNS):
            idle = open_loop(server, net, rate)
            job = start_training(server)
            busy = open_loop(server, net, rate)
            server.fovea("jobs", "cancel", job)
            turns.append((idle["p99_ms"], busy["p99_ms"]))
        yield "training.idle_p99_ms", statistics.median(idle for idle, _ in turns)
        yield "training.p99_ms", statistics.median(busy for _, busy in turns)
        yield "training.p99_over_idle", statistics.median(busy / idle for idle, busy in turns)
