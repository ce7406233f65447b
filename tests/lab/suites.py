"""What is booted and run: a table of suites, each one boot of the guest."""
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import tempfile

from fetch import Unavailable
from machine import NO_MEMORY_CGROUPS, UNGUARDED, Failed

CURRENT, OLDER = "7.3", "7.2"
KERNELS = [CURRENT, OLDER]

# Conformance cases, by regular expression, whose outcome may differ from the user-space door's that is
# given the same module parameters, and why.
NO_CARVEOUT = "the door has no carve-out, where "
DIFFERENT_IN_CARVEOUT = {
    r"SyncBo\..*|WarnSyncBo\..*|DebugBo\.SyncsFromTheDevice": NO_CARVEOUT + "SYNC_BO refuses every BO",
    r"UserMemory\..*|LibBo\.TakesUserMemory": NO_CARVEOUT + "memory of the process has no address",
    r"CreateBo\.(HugeSizesAreRefused|HeapOfTwoChunksIsTooLarge)": NO_CARVEOUT + "a size must fit into it",
    r"Hwctx\.MappingKeepsTheFile|Mmap\.(RefusesPrivateMappings|DoesNotGrow)|"
    r"Prime\.DmaBufIsReadOnlyUnlessAsked": NO_CARVEOUT + "a BO is an imported dma-buf, with that one's mmap",
}
DIFFERENT_IN_OLDER = {
    r"ExecCmd\.CommandMustBeGiven|Hwctx\.HeapHandleMayCloseFirst": "skipped before 7.3, whose kernel the call crashes",
}

# The kernel's own complaints that the suites do not provoke on purpose.
KERNEL_TROUBLE = re.compile(r"BUG:|Oops|KASAN|refcount_t|list_(add|del) corruption|general protection|"
                            r"hung task|soft lockup|use-after-free|unable to handle")
# Complaints that the driver earns by a fault of its own, which a suite meets now and then (docs/lab.md).
FREED_CUS = re.compile(r"cut here(?:(?!end trace).)*refcount_t(?:(?!end trace).)*aie2_config_cu"
                       r"(?:(?!end trace).)*aie2_sched_job_timedout(?:(?!end trace).)*end trace", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Suite:
    kernel: str | None = CURRENT  # None: behind the user-space door, no guest
    mode: str = "iova"
    parameters: str = ""  # of the module, beside the mode's
    memory_cgroups: bool = False  # counting each page for them is a twelfth of what a heap takes
    # Whether the kernel guards itself: two of a boot's six seconds. One suite's does, as Debian boots it.
    guarded: bool = False
    # Two processors make TCG spend half its time on their interrupts to each other.
    processors: int = 1
    rows: tuple = ()  # (seconds, name, command)
    programs: tuple = ()  # below the build folder
    libraries: tuple = ()  # what they load by name
    different: dict | None = None  # None: its conformance cases are not compared with the door's
    known: re.Pattern | None = None  # what its kernel may complain of

    def steps(self, _build):
        return self.rows

    def options(self):
        """What it leaves out of its kernel."""
        return [option for kept, option in ((self.memory_cgroups, NO_MEMORY_CGROUPS), (self.guarded, UNGUARDED))
                if not kept]

    def script(self, build):
        return "".join(f"step {seconds} {name} {command}\n" for seconds, name, command in self.steps(build))

    def prepare(self, lab, build):
        """Makes what the suite needs that the build does not."""

    def roots(self, lab, _build):
        """Where its programs' libraries are from."""
        return [lab.root]

    def plugin(self, _lab):
        """What is loaded into the emulator."""

    def contents(self, programs, build):
        for program in self.programs:
            programs.add(build / program, "usr/bin/" + program.rsplit("/", 1)[1], self.libraries)

    def verify(self, results):
        """Complaints about what the steps left behind."""
        dmesg = (results / "dmesg").read_text(errors="replace")
        if self.known:
            dmesg, met = self.known.subn("", dmesg)
            if met:
                print(f"the kernel complained {met} times of what is known of its driver")
        return [f"kernel: {line}" for line in dmesg.splitlines() if KERNEL_TROUBLE.search(line)]


class Shell(Suite):
    def script(self, build):
        return ("echo 'The NPU is /dev/accel/accel0. Leave with: exit'\n"
                "setsid -c sh -i </dev/ttyS0 >/dev/ttyS0 2>&1\n")


class Xrt(Suite):
    """AMD's XRT as the client: its own tool, and our kernels through its C++ interface, whose bytes
    are to be those that libxdna gets."""

    KERNELS = ("passthrough", "transpose", "broadcast", "join", "matmul_int8", "attention_256_int8_d64")

    def prepare(self, lab, build):
        xrt_program(lab, "xrt-run", "xrt_run.cpp")

    def steps(self, build):
        yield 30, "xrt-smi", "xrt-smi-sees-the-npu"
        for kernel in self.KERNELS:
            yield 90, f"xrt-{kernel}", f"xrt-agrees {file_of(kernel)} {' '.join(arguments(build, kernel))}"

    def tools(self, lab):
        """(program of the lab's root, its name)"""
        return (lab.folder / "xrt/xrt-run", "xrt-run"), (lab.root / "usr/bin/xrt-smi", "xrt-smi")

    def contents(self, programs, build):
        super().contents(programs, build)
        for source, name in self.tools(programs.lab):
            programs.add(source, "usr/bin/" + name, XRT_LIBRARIES)
        for script in ("xrt-smi-sees-the-npu", "xrt-agrees"):
            programs.file(GUEST / script, "usr/bin/" + script)
        for kernel in self.KERNELS:
            for file in (build / "kernels").glob(kernel + ".*"):
                programs.file(file, "lab/kernels/" + file.name)
            programs.file(checked(programs.lab, build, kernel), "lab/checked/" + kernel)


class Containers(Suite):
    """What AMD's own tool makes of our xclbins."""

    def tools(self, lab):
        return ((lab.root / "usr/bin/xclbinutil", "xclbinutil"),)


class Cost(Xrt):
    """A command through libxdna and through XRT, counted by the emulator."""

    KERNELS = ("passthrough",)

    def prepare(self, lab, build):
        counter = GUEST.parent / "guest_counter.cpp"
        xrt_program(lab, "xrt-cost-guest", "xrt_cost.cpp", counter, build / "lib/libimage.a")
        compiled(lab, "count-instructions", build / "obj/bench/count_instructions.o", counter,
                 build / "lib/libxdna.a", build / "lib/libimage.a", "-ldrm")

    def tools(self, lab):
        return ((lab.folder / "xrt/xrt-cost-guest", "xrt-cost"),
                (lab.folder / "xrt/count-instructions", "count-instructions"))

    def plugin(self, lab):
        return compiled(lab, "count-plugin.so", GUEST.parent / "count_plugin.cpp", "-shared", "-fPIC",
                        "-fvisibility=hidden")

    def steps(self, build):
        yield 300, "libxdna", "env XDNA_ROUNDS=100 count-instructions"
        yield 300, "xrt", "env XDNA_ROUNDS=100 xrt-cost /lab/kernels/passthrough.xclbin"


class Faults(Suite):
    CASES = ("command-without-answer", "aborted", "array-error", "firmware-without-answer", "firmware-refused",
             "firmware-dead", "removed", "killed", "memory-pressure", "memory-refused", "leaks")

    def steps(self, _build):
        return [(60, case, f"faults {case}") for case in self.CASES]

    def contents(self, programs, build):
        super().contents(programs, build)
        programs.file(GUEST / "faults", "usr/bin/faults")
        for file in (build / "kernels").glob("passthrough.*"):
            programs.file(file, "lab/kernels/" + file.name)


class Handover(Suite):
    """What the NPU and a GPU's Vulkan driver (lavapipe, the newer one of build/sysroot) give each other: the
    kernel's dma-bufs, as /dev/udmabuf lets a driver without a device have them, too."""

    def prepare(self, lab, build):
        for file in (build / "sysroot" / LAVAPIPE, *(build / program for program in self.programs)):
            if not file.exists():
                raise Unavailable(f"no {file}: scripts/setup {build} test brings what it takes")

    def roots(self, lab, build):
        # The driver wants a newer libc than the lab's root has.
        return [build / "sysroot", lab.root]

    def contents(self, programs, build):
        super().contents(programs, build)
        programs.file(build / "sysroot" / LAVAPIPE, LAVAPIPE)

    def verify(self, results):
        # Elsewhere they may be skipped.
        skipped = [f"{case} was skipped" for report in results.glob("*.json")
                   for case, outcome in outcomes(report.read_text()).items() if outcome == "skipped"]
        return super().verify(results) + skipped


LAVAPIPE = "usr/share/vulkan/icd.d/lvp_icd.json"
# What XRT loads by name.
XRT_LIBRARIES = ("libxrt_core.so.2", "libxrt_driver_xdna.so.2")
GUEST = pathlib.Path(__file__).resolve().parent / "guest"


def stale(product, made_of):
    """Whether a file is to be made anew from others."""
    return not product.exists() or product.stat().st_mtime < max(file.stat().st_mtime for file in made_of)


def door_programs(build):
    """What everything behind the user-space door is made by."""
    return [build / "bin/xdna-emu", build / "lib/libxdna-emu-door.so"]


def outcomes(report):
    """case -> passed, failed or skipped"""
    def outcome(case):
        return "failed" if "failures" in case else "skipped" if case["result"] == "SKIPPED" else "passed"

    return {f"{suite['name']}.{case['name']}": outcome(case)
            for suite in json.loads(report)["testsuites"] for case in suite["testsuite"]}


def file_of(kernel):
    """Attention's inputs have a form of their own, which xdna-run gives them when it knows the kernel."""
    return kernel + (".pdi" if kernel.startswith("attention") else ".json")


def arguments(build, kernel):
    """The names of a kernel's buffers, the output's last."""
    manifest = json.loads((build / "kernels" / (kernel + ".json")).read_text())
    return [argument["name"] for argument in manifest["arguments"]]


def checked(lab, build, kernel):
    """What a kernel makes of xdna-run's own inputs behind the user-space door, where it is checked against the
    CPU: once for the programs that are there."""
    output = lab.folder / "checked" / kernel
    run = [build / "bin/xdna-run", build / "kernels" / file_of(kernel)]
    if stale(output, door_programs(build) + run):
        output.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as folder:
            ran = subprocess.run([build / "bin/xdna-emu", "--", *run, "--check", "--buffers", folder], check=False,
                                 text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if ran.returncode != 0:
                raise Failed(f"{kernel} behind the user-space door: {ran.stdout}")
            (pathlib.Path(folder) / arguments(build, kernel)[-1]).rename(output)
    return output


def xrt_program(lab, name, source, *more):
    """One of our XRT programs, against XRT's headers and libraries in the lab's root."""
    # XRT's libraries want newer libraries below them than the ones that are linked against here.
    return compiled(lab, name, GUEST.parent / source, *more, "-isystem", lab.root / "usr/include", "-L",
                    lab.root / "usr/lib/x86_64-linux-gnu", "-lxrt_coreutil", "-Wl,--allow-shlib-undefined")


def compiled(lab, name, *words):
    """A program of the lab's own. `words` are the compiler's; those that are files it is made of."""
    program = lab.folder / "xrt" / name
    sources = [word for word in words if isinstance(word, pathlib.Path) and word.is_file()]
    if stale(program, sources):
        program.parent.mkdir(exist_ok=True)
        # Another suite may be making it, too.
        fresh = program.with_name(f"{name}.{os.getpid()}")
        subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O1", "-I", GUEST.parents[2], *words,
                        "-o", fresh], check=True)
        fresh.rename(program)
    return program


# XDNA_HANG: the virtual NPU recovers from commands that hang.
CONFORMANCE = ((1000, "conformance", "env XDNA_HANG=1 conformance --gtest_output=json:/out/conformance.json"),)

SUITES = {
    "conformance": Suite(rows=((30, "probe", "xdna-probe"), *CONFORMANCE), different={}, guarded=True,
                         programs=("tests/conformance", "bin/xdna-probe")),
    "carveout": Suite(mode="carveout", rows=CONFORMANCE, different=DIFFERENT_IN_CARVEOUT,
                      programs=("tests/conformance",)),
    "older": Suite(kernel=OLDER, rows=CONFORMANCE, different=DIFFERENT_IN_OLDER, programs=("tests/conformance",)),
    # A command's time is the simulator's: the driver is not to give up on it.
    "xrt": Xrt(parameters="tdr_timeout_ms=0", programs=("bin/xdna-run",)),
    "cost": Cost(parameters="tdr_timeout_ms=0"),
    "xrt-door": Xrt(kernel=None, mode="sva", parameters="tdr_timeout_ms=0"),
    "containers": Containers(kernel=None, mode="sva", rows=((120, "xclbinutil", "xclbinutil-reads"),)),
    "handover": Handover(rows=(
        (200, "handover", "handover --gtest_output=json:/out/handover.json"),
        (200, "gpu", "gpu --gtest_filter=DeviceTest.*Dmabuf* --gtest_output=json:/out/gpu.json")),
        programs=("tests/handover", "tests/gpu"), libraries=("libvulkan.so.1", "libvulkan_lvp.so")),
    "faults": Faults(programs=("bin/xdna-run", "bin/xdna-probe", "tests/conformance"), processors=2,
                     memory_cgroups=True, known=FREED_CUS),
    "shell": Shell(programs=("tests/conformance", "bin/xdna-probe", "bin/xdna-run", "bin/xdna-image"), processors=2,
                   memory_cgroups=True, guarded=True),
}
