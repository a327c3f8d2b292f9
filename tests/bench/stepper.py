"""Stepper: another process that runs one step when it is asked, so that several can take turns."""

import os
import statistics
import subprocess
import time

REST = 0.2  # seconds before a turn: threads of the other processes stop spinning
# glibc's malloc returns large blocks to the system and fetches them anew in every step of PyTorch's,
# which costs it up to a third; these keep them.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


class Stepper:
    """A process that prints "ready BATCH SETTING" and then answers a line with the seconds of a step."""

    def __init__(self, command, stderr=subprocess.DEVNULL):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=stderr, text=True,
                                         env={**os.environ, **KEEP_MEMORY})
        ready = self._process.stdout.readline().split()
        if ready[:1] != ["ready"]:
            self._process.wait()
            raise RuntimeError(f"{' '.join(command)}: exit code {self._process.returncode}")
        self.batch, self.setting = int(ready[1]), " ".join(ready[2:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def turn(self, steps, seconds=0.0):
        """Median seconds of at least so many steps and so long, after one that does not count."""
        time.sleep(REST)
        self._step()
        taken, end = [], time.monotonic() + seconds
        while len(taken) < steps or time.monotonic() < end:
            taken.append(self._step())
        return statistics.median(taken)

    def _step(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())
