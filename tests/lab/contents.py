"""What goes into the guest beside its init: programs, with the libraries that they load."""
import pathlib
import subprocess
import tempfile

LIBRARIES = "usr/lib/x86_64-linux-gnu"
LOADER = "ld-linux-x86-64.so.2"


class Programs:
    """Collects programs for an archive; each with its libraries from the first of `roots` that has them, and the
    loader of the first."""

    def __init__(self, lab, archive, *roots):
        self.lab, self._archive, self._copied = lab, archive, {LOADER}
        self._folders = [root / LIBRARIES for root in roots]
        self._loader = roots[0] / "usr/lib64" / LOADER
        archive.copy(self._loader, "usr/lib64/" + LOADER)

    def add(self, source, path, libraries=()):
        """`source` goes to `path`, stripped; `libraries`: what it loads by name at run time."""
        with tempfile.TemporaryDirectory() as scratch:
            stripped = pathlib.Path(scratch) / "stripped"
            subprocess.run(["strip", "-o", stripped, source], check=True)
            self._archive.copy(stripped, path)
            self._needed(stripped)
        for library in libraries:
            self.library(library)

    def file(self, source, path):
        self._archive.copy(source, path)

    def library(self, name):
        """A library, by file name."""
        if name not in self._copied:
            self._copied.add(name)
            source = next((folder / name for folder in self._folders if (folder / name).exists()), None)
            if source is None:
                raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, self._folders))}")
            self._archive.copy(source, f"{LIBRARIES}/{name}")
            self._needed(source)

    def _needed(self, source):
        path = ":".join(map(str, self._folders))
        rows = subprocess.run([self._loader, "--library-path", path, "--list", source], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        for row in rows.splitlines():
            if "not found" in row:
                raise RuntimeError(f"{source}: {row.strip()}")
            if "=>" in row:
                self.library(pathlib.Path(row.split("=>")[1].split()[0]).name)
