"""One boot of the guest: the device's process, QEMU, the console between them and us."""
import os
import pathlib
import re
import select
import signal
import subprocess
import tarfile
import tempfile
import time

from clock import tsc_khz
from initramfs import Archive

GUEST = pathlib.Path(__file__).resolve().parent / "guest"
MEMORY = "1G"
RESULT_BYTES = 64 << 20
FIRMWARE = "lib/firmware/amdnpu/1502_00/npu.sbin"
# What a boot under TCG need not do: watch itself, account, test its ciphers, clear memory twice, name the
# constants of traces, and wait for RCU's timers. Most of what a case takes is the driver waiting for grace periods.
QUICK = ("mitigations=off rcupdate.rcu_expedited=1 psi=0 nowatchdog audit=0 lsm=capability tsc=reliable "
         "cryptomgr.notests=1 init_on_alloc=0 damon_stat.enabled=0 initcall_blacklist=trace_eval_init")
# What guards the kernel, and says nothing about the driver: read-only text, which is searched for writable pages,
# and, further down, the signatures of modules.
UNGUARDED = "rodata=off"
NO_MEMORY_CGROUPS = "cgroup_disable=memory"
# The processor: the widest that TCG has, less what costs time. A string instruction is a loop over bytes to
# TCG, so Linux is told that none is fast (erms to fsrc), and goes by words instead: eight times less to do
# where a heap of 64 MiB is cleared.
PROCESSOR = "max,-hypervisor,-la57,-erms,-fsrm,-fsrs,-fzrm,-fsrc,-clflushopt,-clwb"
# What is not the guest's to answer for in the time that a boot or a step may take.
BOOT_SECONDS, END_SECONDS = 90, 30


class Failed(Exception):
    """The guest did not do what a boot is to do; says what it did last."""


class Mode:
    """How the driver gets device addresses, as its module parameters and the kernel's command line say;
    and `door`: what comes nearest to that on the user-space door."""

    def __init__(self, module="", kernel="", carveout="", door=None):
        self.module, self.kernel, self.carveout = module, kernel, carveout
        self.door = module if door is None else door


MODES = {
    # The process's own addresses: only on the user-space door.
    "sva": Mode(),
    # Translated by the guest's IOMMU. Huge pages: a heap of 64 MiB is 32 mappings instead of 16384.
    "iova": Mode(module="force_iova=1", kernel="transparent_hugepage_shmem=within_size"),
    # Memory set aside at boot, at its guest physical address. The heap is aligned to 64 MiB in it. Without page
    # attributes: each of a heap's pages is mapped alone, and would be looked up in their table.
    "carveout": Mode(kernel="nopat iommu=pt memmap=256M$0x20000000", carveout="0x10000000@0x20000000",
                     door="force_iova=1"),
}


def unsigned(module):
    """A module without the signature behind it (Linux: include/linux/module_signature.h). Verifying eleven takes a
    second under TCG."""
    magic = b"~Module signature appended~\n"
    if not module.endswith(magic):
        return module
    trailer = len(magic) + 12
    size = int.from_bytes(module[-len(magic) - 4:-len(magic)], "big")
    return module[:-trailer - size]


def build_initramfs(path, lab, kernel, contents, environment, steps, guarded):
    """`contents`: function that adds files to the archive. `steps`: shell text. `guarded`: modules are signed."""
    with Archive(path) as archive:
        for name in ("proc", "sys", "dev", "tmp", "out", "root", "etc"):
            archive.directory(name)
        archive.copy(lab.root / "usr/bin/busybox", "usr/bin/busybox")
        for name in ("bin", "lib", "lib64", "sbin"):
            archive.link(name, "usr/" + name)
        archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        archive.file("etc/os-release", b'NAME="libxdna lab"\nPRETTY_NAME="libxdna lab"\n')
        archive.copy(GUEST / "init", "init")
        archive.copy(kernel / "modules", "lab/modules/order")
        for module in (kernel / "modules").read_text().split():
            data = (kernel / module).read_bytes()
            archive.file("lab/modules/" + module, data if guarded else unsigned(data))
        # The virtual NPU brings its own firmware: the file only has to be there.
        archive.file("usr/" + FIRMWARE, b"virtual NPU firmware".ljust(4096, b"\0"))
        archive.file("lab/environment", "".join(f"export {k}='{v}'\n" for k, v in environment.items()).encode())
        archive.file("lab/steps", steps.encode())
        contents(archive)


class Machine:
    """Runs while the `with` block does; whatever happens, both processes are gone afterwards."""

    def __init__(self, lab, emulator, kernel, initramfs, mode, *options, interactive=False, smp=2, plugin=None):
        """`options`: of the kernel's command line."""
        self.lab, self.emulator, self.kernel, self.initramfs = lab, emulator, kernel, initramfs
        self.mode, self.options = MODES[mode], " ".join(options)
        self.interactive, self.smp, self.plugin = interactive, smp, plugin
        self._processes = []
        self.console = ""
        self._rest = ""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="xdna-lab.")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        folder = pathlib.Path(self._folder.name)
        socket = folder / "npu"
        self.disk = folder / "out.tar"
        with open(self.disk, "wb") as disk:
            disk.truncate(RESULT_BYTES)
        self.device_log = folder / "device.log"
        with open(self.device_log, "wb") as log:
            self._spawn([self.emulator, socket], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 10
        while not socket.exists():
            if time.monotonic() > end or self._processes[0].poll() is not None:
                raise Failed("the device does not listen: " + self.device_log.read_text())
            time.sleep(0.01)
        device = f'{{"driver":"vfio-user-pci","bus":"pcie.0","addr":"5","socket":{{"type":"unix","path":"{socket}"}}}}'
        # On a busy machine the guest measures it wrongly, and its clock runs too fast.
        clock = f"tsc_early_khz={khz}" if (khz := tsc_khz()) else ""
        command = [*self.lab.qemu(), "-M", "q35,memory-backend=ram0", "-accel", "tcg,thread=multi",
                   "-cpu", PROCESSOR, "-smp", str(self.smp), "-m", MEMORY,
                   "-object", f"memory-backend-memfd,id=ram0,size={MEMORY},share=on", "-nodefaults", "-display", "none",
                   "-serial", "stdio", "-no-reboot", "-kernel", self.kernel / "image", "-initrd", self.initramfs,
                   "-device", "intel-iommu,caching-mode=on", "-device", device,
                   "-drive", f"file={self.disk},if=virtio,format=raw,cache=unsafe",
                   "-run-with", "exit-with-parent=on", *(["-plugin", self.plugin] if self.plugin else []),
                   "-append", f"console=ttyS0 panic=-1 quiet intel_iommu=on {QUICK} {clock} {self.mode.kernel} {self.options}"]
        pipes = {} if self.interactive else {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                             "stderr": subprocess.STDOUT}
        self._spawn(command, **pipes)

    def _spawn(self, command, **options):
        self._processes.append(subprocess.Popen([str(word) for word in command], start_new_session=not self.interactive,
                                                **options))

    def __exit__(self, *_):
        for process in reversed(self._processes):
            if process.poll() is None:
                process.kill()
            process.wait()
        self._folder.cleanup()

    @property
    def qemu(self):
        return self._processes[1]

    def line(self, deadline):
        """The console's next line; None at its end. Failed past the deadline."""
        while "\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.qemu.stdout], [], [], left)[0]:
                raise Failed("no sign of life in time; last on the console:\n" + self.console[-3000:])
            data = os.read(self.qemu.stdout.fileno(), 65536).decode(errors="replace")
            if not data:
                return None
            self._rest += data
        line, self._rest = self._rest.split("\n", 1)
        line = line.rstrip("\r")
        self.console += line + "\n"
        return line

    def steps(self):
        """Yields (name, exit code, seconds) as the guest's steps end; returns at power-off."""
        deadline = time.monotonic() + BOOT_SECONDS
        started = None
        while True:
            line = self.line(deadline)
            if line is None:
                raise Failed("the guest stopped before it was done:\n" + self.console[-3000:])
            if found := re.search(r"LAB begin (\S+) (\d+)", line):
                started = time.monotonic()
                deadline = started + int(found[2]) + END_SECONDS
            elif found := re.search(r"LAB end (\S+) (\d+)", line):
                yield found[1], int(found[2]), time.monotonic() - started
                deadline = time.monotonic() + END_SECONDS
            elif re.search(r"LAB problem", line):
                raise Failed(self.console[-3000:])
            elif "LAB done" in line:
                break
        try:
            self.qemu.wait(END_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Failed("the guest does not power off") from error

    def results(self):
        """name -> bytes of what the guest left in /out."""
        with tarfile.open(self.disk, ignore_zeros=False) as archive:
            return {os.path.basename(member.name): archive.extractfile(member).read()
                    for member in archive if member.isfile()}
