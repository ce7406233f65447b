"""What the lab is made of, taken from Debian: QEMU, XRT, busybox and kernels, unpacked below
build/lab. Nothing is installed, nothing needs root: programs run through the root's own loader.
"""
import contextlib
import ctypes
import fcntl
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tarfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SUITES = ["trixie", "trixie-backports"]
# What runs on the host beside the guest, and what the guest's programs need. uuid-dev: XRT's
# headers include it, and libxrt-dev does not depend on it.
PACKAGES = ["qemu-system-x86", "busybox-static", "libxrt2", "libxrt-npu2", "libxrt-utils", "libxrt-dev", "uuid-dev",
            "libdrm2", "libstdc++6"]
# Pulled in by those and used by none of what runs here.
UNUSED = re.compile(r"python3|libpython3|passwd_|tzdata|ipxe-qemu|dpkg_|tar_|adduser|perl|debconf|base-passwd|login|"
                    r"libc6-dev|libc-dev-bin|linux-libc-dev|libcrypt-dev")
# The guest's modules; what they need is found in their own tables.
MODULES = ["amdxdna", "virtio_pci", "virtio_blk"]


class Unavailable(Exception):
    """The lab cannot be had on this machine; says why."""


class Lab:
    """The folder that it all lies in, filled on demand."""

    def __init__(self, build):
        self.folder = (pathlib.Path(build) / "lab").resolve()
        self.root = self.folder / "root"
        self.apt = self.folder / "apt"

    def loader(self):
        """The words that run one of the root's programs on this machine."""
        library = self.root / "usr/lib/x86_64-linux-gnu"
        return [str(self.root / "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", str(library)]

    def qemu(self):
        return [*self.loader(), str(self.root / "usr/bin/qemu-system-x86_64"), "-L", str(self.root / "usr/share/qemu"),
                "-L", str(self.root / "usr/share/seabios")]

    @contextlib.contextmanager
    def _alone(self):
        """Suites that run at once fill the folder one after the other."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # --- packages
    def _apt(self, *words, **options):
        environment = os.environ | {"APT_CONFIG": str(self.apt / "apt.conf")}
        return subprocess.run(words, env=environment, check=True, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **options).stdout

    def _lists(self):
        if shutil.which("apt-get") is None:
            raise Unavailable("no apt-get here: the lab is made of Debian packages")
        if not (self.apt / "apt.conf").exists():
            subprocess.run([REPOSITORY / "scripts/newer-debian", self.apt, *SUITES], check=True)

    def _unavailable(self, what, packages, error):
        # The next time begins with fresh lists: these may be old, or there was no network.
        (self.apt / "apt.conf").unlink()
        last = error.stderr.strip().splitlines()[-1:]
        return Unavailable(f"apt cannot {what} {' '.join(packages[:3])}, ...: {''.join(last)}")

    def _download(self, *packages, dependencies):
        """Paths of the packages' files."""
        self._lists()
        archives = self.apt / "cache/archives"
        if dependencies:
            install = ["apt-get", "-qq", "-y", "-t", SUITES[-1], "--no-install-recommends", "install", *packages]
            try:
                rows = self._apt(*install, "--print-uris").splitlines()
            except subprocess.CalledProcessError as error:
                raise self._unavailable("resolve", packages, error) from error
            files = [row.split()[1] for row in rows if row.startswith("'")]
            files = [file for file in files if not UNUSED.match(file)]
            packages = [file.replace("%3a", ":").rsplit("_", 1)[0].replace("_", "=") for file in files]
        try:
            self._apt("apt-get", "-qq", "download", *packages, cwd=archives)
        except subprocess.CalledProcessError as error:
            raise self._unavailable("download", packages, error) from error
        if dependencies:
            return [archives / file for file in files]
        return [next(archives.glob(package.replace("=", "_") + "_*.deb")) for package in packages]

    def ensure_root(self):
        with self._alone():
            self._fill_root()

    def _fill_root(self):
        done = self.root / ".complete"
        if done.exists():
            return
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        # Debian merged these into /usr; base-files, which says so, is not among the packages.
        for name in ("bin", "lib", "lib64", "sbin"):
            (self.root / "usr" / name).mkdir(parents=True, exist_ok=True)
            (self.root / name).symlink_to("usr/" + name)
        for file in self._download(*PACKAGES, dependencies=True):
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as package:
                subprocess.run(["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", self.root,
                                "--exclude=./usr/share/doc", "--exclude=./usr/share/man"],
                               stdin=package.stdout, check=True)
            file.unlink()
        done.touch()

    # --- kernels
    def kernel(self, series):
        """The folder of the newest kernel of a series ('7.3'): image, version, modules in order."""
        with self._alone():
            return self._fill_kernel(series)

    def _fill_kernel(self, series):
        folder = self.folder / "kernel" / series
        if (folder / "modules").exists() and (folder / "image").exists():
            return folder
        self._lists()
        # Same flavour everywhere: the plain one; the cloud kernel has no NPU driver.
        pattern = re.compile(rf"linux-modules-({re.escape(series)}\.\d+\+deb\d+-amd64)$")
        names = self._apt("apt-cache", "pkgnames", "linux-modules-" + series).split()
        versions = [found[1] for found in map(pattern.match, names)
                    if found and self._apt("apt-cache", "madison", found[0]).strip()]
        if not versions:
            (self.apt / "apt.conf").unlink()
            raise Unavailable(f"no kernel {series} in {', '.join(SUITES)}")
        version = max(versions, key=lambda text: int(text.split("+")[0].rsplit(".", 1)[1]))
        binary, modules = self._download("linux-binary-" + version, "linux-modules-" + version, dependencies=False)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, data in members(binary, lambda name: "/vmlinuz" in name):
            (folder / "image").write_bytes(kernel_proper(data))
        found = {module_name(name): data for name, data in members(modules, lambda name: ".ko" in name)}
        order = closure(found, MODULES)
        for position, name in enumerate(order):
            (folder / f"{position:02}-{name}.ko").write_bytes(unpacked(found[name]))
        (folder / "version").write_text(version + "\n")
        (folder / "modules").write_text("".join(f"{p:02}-{name}.ko\n" for p, name in enumerate(order)))
        binary.unlink()
        modules.unlink()
        return folder


def members(package, wanted):
    """(path, bytes) of a package's regular files whose path is wanted."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as stream:
        with tarfile.open(fileobj=stream.stdout, mode="r|") as archive:
            for member in archive:
                if member.isfile() and wanted(member.name):
                    yield member.name, archive.extractfile(member).read()


def module_name(path):
    return pathlib.PurePath(path).name.split(".ko")[0].replace("-", "_")


def kernel_proper(vmlinuz):
    """The ELF file that a vmlinuz unpacks at boot, which takes the guest two seconds: QEMU starts that, too
    (PVH). Where it cannot be unpacked here, the vmlinuz itself."""
    # Documentation/arch/x86/boot.rst: sectors of set-up code; where the payload lies behind them, and its
    # length; its last word is the length of what it unpacks to.
    setup_sectors = vmlinuz[0x1F1]
    offset, length = struct.unpack_from("<II", vmlinuz, 0x248)
    payload = vmlinuz[(setup_sectors + 1) * 512 + offset:][:length]
    if not payload.startswith(b"\x28\xb5\x2f\xfd"):
        return vmlinuz
    try:
        decompress = ctypes.CDLL("libzstd.so.1").ZSTD_decompress  # dpkg needs it: it is there
    except OSError:
        return vmlinuz
    decompress.restype = ctypes.c_size_t
    decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    size = int.from_bytes(payload[-4:], "little")
    kernel = ctypes.create_string_buffer(size)
    if decompress(kernel, size, payload[:-4], len(payload) - 4) != size or kernel.raw[:4] != b"\x7fELF":
        return vmlinuz
    return kernel.raw


def unpacked(data):
    return lzma.decompress(data) if data.startswith(b"\xfd7zXZ") else data


def closure(found, wanted):
    """The wanted modules and what their 'depends' tables name, each after what it needs. What is
    not among the found is built into the kernel."""
    order = []

    def visit(name):
        name = name.replace("-", "_")
        if name in order or name not in found:
            return
        table = re.search(rb"\0depends=([^\0]*)\0", unpacked(found[name]))
        for needed in table[1].decode().split(",") if table and table[1] else []:
            visit(needed)
        order.append(name)

    for name in wanted:
        visit(name)
    return order
