"""Writes initramfs archives (cpio, 'newc'): no root needed, and no cpio either."""
import os
import stat


class Archive:
    """Entries go in once; directories above them come along."""

    def __init__(self, path):
        self._file = open(path, "wb")
        self._directories = set()
        self._inode = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._entry("TRAILER!!!", 0, b"")
        self._file.write(bytes(-self._file.tell() % 512))
        self._file.close()

    def directory(self, path):
        path = path.strip("/")
        if path and path not in self._directories:
            self.directory(os.path.dirname(path))
            self._directories.add(path)
            self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path, data, executable=False):
        self.directory(os.path.dirname(path.strip("/")))
        self._entry(path.strip("/"), stat.S_IFREG | (0o755 if executable else 0o644), data)

    def link(self, path, target):
        self.directory(os.path.dirname(path.strip("/")))
        self._entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def copy(self, source, path):
        """A file or, through links, what a link points at."""
        with open(source, "rb") as file:
            self.file(path, file.read(), os.access(source, os.X_OK))

    def _entry(self, name, mode, data):
        self._inode += 1
        fields = [self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        self._file.write(header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4))
