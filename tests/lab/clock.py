"""The frequency of this machine's time stamp counter, which is a TCG guest's, too."""
import ctypes
import mmap
import time

READ = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"  # rdtsc; shl rdx, 32; or rax, rdx; ret


def tsc_khz():
    """0 where it cannot be read."""
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return 0
    code.write(READ)
    function = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def both():
        """(ns, ticks), taken within 50 us of each other."""
        while True:
            before, ticks, after = time.monotonic_ns(), function(), time.monotonic_ns()
            if after - before < 50_000:
                return before, ticks

    start = both()
    time.sleep(0.1)
    end = both()
    return round((end[1] - start[1]) * 1e6 / (end[0] - start[0]))
