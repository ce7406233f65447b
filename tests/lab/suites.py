"""What is booted and run: a table of suites, each one boot of the guest."""
import dataclasses
import re

CURRENT, OLDER = "7.3", "7.2"
KERNELS = [CURRENT, OLDER]

# Conformance cases that may differ between the doors, and why.
DIFFERENT = {}

# The kernel's own complaints that the suites do not provoke on purpose.
KERNEL_TROUBLE = re.compile(r"BUG:|Oops|KASAN|refcount_t|list_(add|del) corruption|general protection|"
                            r"hung task|soft lockup|use-after-free|unable to handle")


@dataclasses.dataclass(frozen=True)
class Suite:
    kernel: str = CURRENT
    mode: str = "iova"
    parameters: str = ""  # of the module, beside the mode's
    steps: tuple = ()     # (seconds, name, command)
    programs: tuple = ()  # below the build folder

    @property
    def script(self):
        return "".join(f"step {seconds} {name} {command}\n" for seconds, name, command in self.steps)

    def prepare(self, lab, build):
        """Makes what the suite needs that the build does not."""

    def contents(self, programs, build):
        for program in self.programs:
            programs.add(build / program, "usr/bin/" + program.rsplit("/", 1)[1])

    def verify(self, results):
        """Complaints about what the steps left behind."""
        dmesg = (results / "dmesg").read_text(errors="replace")
        return [f"kernel: {line}" for line in dmesg.splitlines() if KERNEL_TROUBLE.search(line)]


class Shell(Suite):
    @property
    def script(self):
        return ("echo 'The NPU is /dev/accel/accel0. Leave with: exit'\n"
                "setsid -c sh -i </dev/ttyS0 >/dev/ttyS0 2>&1\n")


CONFORMANCE = ((500, "conformance", "conformance --gtest_output=json:/out/conformance.json"),)

SUITES = {
    "conformance": Suite(steps=((30, "probe", "xdna-probe"), *CONFORMANCE),
                         programs=("tests/conformance", "bin/xdna-probe")),
    "carveout": Suite(mode="carveout", steps=CONFORMANCE, programs=("tests/conformance",)),
    "older": Suite(kernel=OLDER, steps=CONFORMANCE, programs=("tests/conformance",)),
    "shell": Shell(programs=("tests/conformance", "bin/xdna-probe", "bin/xdna-run", "bin/xdna-image")),
}
