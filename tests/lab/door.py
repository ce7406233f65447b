"""The user-space door in the guest's place: a suite's steps on this machine, behind xdna-emu, with the
lab's own programs from its root."""
import os
import pathlib
import shlex
import subprocess
import tempfile
import time

from machine import GUEST, MODES


def parameters(suite):
    """xdna-emu's words for the module parameters of a suite."""
    words = f"{MODES[suite.mode].door} {suite.parameters}".split()
    return [word for parameter in words for word in ("--parameter", parameter)]


class Door:
    """As Machine: runs while the `with` block does."""

    def __init__(self, lab, build, suite):
        self._lab, self._build, self._suite = lab, build.resolve(), suite
        self.console = ""
        self._results = {}

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="xdna-lab.")
        programs = pathlib.Path(self._folder.name) / "bin"
        programs.mkdir()
        for source, name in self._suite.tools(self._lab):
            (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join([*self._lab.loader(), str(source)])} "$@"\n')
            (programs / name).chmod(0o755)
        path = [str(programs), str(self._build / "bin"), str(GUEST), os.environ["PATH"]]
        self._environment = os.environ | {"PATH": ":".join(path), "LAB_KERNELS": str(self._build / "kernels")}
        self._environment.pop("GTEST_OUTPUT", None)
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def steps(self):
        for seconds, name, command in self._suite.steps(self._build):
            started = time.monotonic()
            ran = subprocess.run(["timeout", "-s", "KILL", str(seconds), self._build / "bin/xdna-emu",
                                  *parameters(self._suite), "--", "sh", "-c", command], check=False,
                                 env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
            self.console += ran.stdout.decode(errors="replace")
            self._results[name + ".log"] = ran.stdout
            yield name, ran.returncode, time.monotonic() - started

    def results(self):
        return self._results
