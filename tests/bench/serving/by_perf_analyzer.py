"""Speed of the service with the stock perf_analyzer as its load, beside the engine's own.

Whole probabilities are asked for, as it has no way to ask for the best label alone. Measured as in
service.py: what is compared takes turns, and perf_analyzer takes its part of the same cores
(<name>.load_cpu_share).
"""

import os
import resource
import statistics
import sys
import time

import service

# Where the program is known, which tests/interop runs too.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../interop"))
# pylint: disable=wrong-import-position
import perf_analyzer

IMAGES, ENCODED = 3, 1  # fields of PredictRequest and of Image


def varint(message, at):
    """The number there, and where the next field begins."""
    value = shift = 0
    while message[at] & 0x80:
        value |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | message[at] << shift, at + 1


def field(message, number):
    """The bytes of the first such field of a serialised message of numbers, texts and messages."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        if tag & 7 != 2:
            continue
        if tag >> 3 == number:
            return message[at:at + value]
        at += value
    raise ValueError(f"found no field {number}")


def picture(request):
    """The JPEG in a file that bench_publish wrote."""
    with open(request, "rb") as file:
        return field(field(file.read(), IMAGES), ENCODED)


class Load:
    """perf_analyzer, with the pictures that bench_publish wrote for this net."""

    def __init__(self, python, server, net):
        self._program = perf_analyzer.PerfAnalyzer(python)
        self._address, self._model = server.address, f"{net}_jpeg"
        self._pictures = os.path.join(server.folder, f"{net}.json")
        perf_analyzer.write_pictures(self._pictures, map(picture, server.requests(net)))

    def run(self, seconds, *options):
        """What it measured, with the share of all cores that it took itself."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        measured, = self._program.run(self._address, self._model, "--input-data", self._pictures,
                                      *options, seconds=seconds)
        after, taken = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
        cpu = sum(getattr(after, each) - getattr(before, each) for each in ("ru_utime", "ru_stime"))
        return {**measured, "cpu_share": cpu / taken / os.cpu_count()}

    def closed(self, concurrency):
        return self.run(service.TURN_SECONDS, "--concurrency-range", concurrency)

    def open(self, rate, distribution):
        """Without waiting for answers, so that late ones do not hold up the next requests."""
        return self.run(service.OPEN_SECONDS, "--async", "--request-rate-range", f"{rate:.2f}",
                        "--request-distribution", distribution)


def latency(load, engine, net, rate):
    compute = engine.milliseconds_of_one()
    yield f"{net}.perf_analyzer.compute_ms", compute
    for prefix, distribution in ((f"{net}.perf_analyzer", "constant"),
                                 (f"{net}.perf_analyzer.poisson", "poisson")):
        answers = load.open(rate, distribution)
        yield f"{prefix}.rate", answers["images_per_second"]
        yield f"{prefix}.delayed_percent", answers.get("delayed_percent", 0.0)
        yield f"{prefix}.p50_ms", answers["p50_us"] / 1e3
        yield f"{prefix}.p99_ms", answers["p99_us"] / 1e3
        yield f"{prefix}.p99_over_compute", answers["p99_us"] / 1e3 / compute


def speed(python, net):
    with service.Server([net]) as server, service.Engine(net, server.requests(net)) as engine:
        load = Load(python, server, net)
        best = max(service.OUTSTANDING[net],
                   key=lambda n: load.closed(n)["images_per_second"])
        turns = [(engine.images_per_second(), load.closed(best)) for _ in range(service.TURNS)]
        reached = statistics.median(turn["images_per_second"] for _, turn in turns)
        prefix = f"{net}.perf_analyzer"
        yield f"{prefix}.engine_images_per_second", statistics.median(alone for alone, _ in turns)
        yield f"{prefix}.concurrency", best
        yield f"{prefix}.images_per_second", reached
        yield f"{prefix}.load_cpu_share", statistics.median(turn["cpu_share"] for _, turn in turns)
        yield (f"{prefix}.service_share", statistics.median(
            turn["images_per_second"] / alone for alone, turn in turns))
        yield from latency(load, engine, net, service.LOAD * reached)


def run(python, nets=service.NETS):
    """Yields (name, value) for every net; `python` has perf_analyzer.PACKAGES."""
    if perf_analyzer.missing_library():
        raise RuntimeError(f"perf_analyzer needs libb64-0d: {perf_analyzer.missing_library()}")
    for net in nets:
        yield from speed(python, net)
