#include "emu/uapi/driver/bo_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace xdna::emu::driver {

namespace {

constexpr char kName[] = "xdna-bo";
// A client that could shrink the file would take the pages from under the device.
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

BoMemory::BoMemory(UniqueFd fd, uint64_t size, uint64_t inode)
    : fd_(std::move(fd)), size_(size), inode_(inode) {}

std::shared_ptr<BoMemory> BoMemory::create(uint64_t size, int& error) {
    error = 0;
    UniqueFd fd(::memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    struct stat info {};
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
        ::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0 || ::fstat(fd.get(), &info) != 0) {
        error = errno == EINVAL || errno == EFBIG ? -EINVAL : -ENOMEM;
        return nullptr;
    }
    return std::shared_ptr<BoMemory>(new BoMemory(std::move(fd), size, info.st_ino));
}

std::shared_ptr<BoMemory> BoMemory::adopt(UniqueFd fd) {
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
        (::fcntl(fd.get(), F_GET_SEALS) & kSeals) != kSeals) {
        return nullptr;
    }
    const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
    char target[64] = {};
    const ssize_t length = ::readlink(link.c_str(), target, sizeof target - 1);
    const std::string want = std::string("/memfd:") + kName;
    if (length < 0 || std::strncmp(target, want.c_str(), want.size()) != 0) {
        return nullptr;
    }
    // An export without DRM_RDWR is read-only to the client, not to the device.
    UniqueFd writable(::open(link.c_str(), O_RDWR | O_CLOEXEC));
    if (!writable) {
        return nullptr;
    }
    const auto size = static_cast<uint64_t>(info.st_size);
    return std::shared_ptr<BoMemory>(new BoMemory(std::move(writable), size, info.st_ino));
}

BoMemory::~BoMemory() {
    if (data_ != nullptr) {
        ::munmap(data_, size_);
    }
}

std::byte* BoMemory::data() {
    std::call_once(mapped_, [this] {
        void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                          fd_.get(), 0);
        data_ = at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
    });
    return data_;
}

}  // namespace xdna::emu::driver
