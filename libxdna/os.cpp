#include "libxdna/os.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace xdna::os {
namespace {

int node_number(const struct stat& status, uint64_t& out) {
    if (!S_ISCHR(status.st_mode)) {
        return -ENOTTY;
    }
    out = status.st_rdev;
    return 0;
}

}  // namespace

int open_node(const char* path) {
    int fd;
    do {
        fd = ::open(path, O_RDWR | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int duplicate(int fd) {
    int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

void close(int fd) {
    ::close(fd);
}

int ioctl(int fd, unsigned long request, void* arg) {
    while (::ioctl(fd, request, arg) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int map(int fd, uint64_t offset, size_t size, size_t alignment, void** out) {
    if (alignment <= page_size()) {
        void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                              static_cast<off_t>(offset));
        if (memory == MAP_FAILED) {
            return -errno;
        }
        *out = memory;
        return 0;
    }
    // Reserve enough that an aligned range must lie inside, map over that range, return the rest.
    const size_t reserved = size + alignment;
    void* reservation =
        ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reservation == MAP_FAILED) {
        return -errno;
    }
    const auto begin = reinterpret_cast<uintptr_t>(reservation);
    const uintptr_t aligned = (begin + alignment - 1) & ~(uintptr_t{alignment} - 1);
    void* memory = ::mmap(reinterpret_cast<void*>(aligned), size, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(offset));
    if (memory == MAP_FAILED) {
        const int error = errno;
        ::munmap(reservation, reserved);
        return -error;
    }
    if (aligned > begin) {
        ::munmap(reservation, aligned - begin);
    }
    const uintptr_t end = aligned + size;
    if (begin + reserved > end) {
        ::munmap(reinterpret_cast<void*>(end), begin + reserved - end);
    }
    *out = memory;
    return 0;
}

void unmap(void* memory, size_t size) {
    ::munmap(memory, size);
}

int read_file(const char* path, char* buffer, size_t capacity) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    size_t filled = 0;
    int error = 0;
    while (filled < capacity) {
        const ssize_t got = ::read(fd, buffer + filled, capacity - filled);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error = -errno;
        }
        if (got <= 0) {
            break;
        }
        filled += static_cast<size_t>(got);
    }
    ::close(fd);
    return error != 0 ? error : static_cast<int>(filled);
}

int read_link(const char* path, std::string& out) {
    char target[4096];
    const ssize_t length = ::readlink(path, target, sizeof target);
    if (length < 0) {
        return -errno;
    }
    out.assign(target, static_cast<size_t>(length));
    return 0;
}

int list_folder(const char* path, std::vector<std::string>& out) {
    out.clear();
    DIR* folder = ::opendir(path);
    if (folder == nullptr) {
        return -errno;
    }
    while (const dirent* entry = ::readdir(folder)) {
        std::string name = entry->d_name;
        if (name != "." && name != "..") {
            out.push_back(std::move(name));
        }
    }
    ::closedir(folder);
    std::sort(out.begin(), out.end());
    return 0;
}

int device_number(int fd, uint64_t& out) {
    struct stat status {};
    return ::fstat(fd, &status) < 0 ? -errno : node_number(status, out);
}

int device_number(const char* path, uint64_t& out) {
    struct stat status {};
    return ::stat(path, &status) < 0 ? -errno : node_number(status, out);
}

int64_t seek_size(int fd) {
    const off_t size = ::lseek(fd, 0, SEEK_END);
    return size < 0 ? -errno : size;
}

int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

size_t page_size() {
    static const auto size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

}  // namespace xdna::os
