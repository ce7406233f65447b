#include "emu/pci/guest_memory.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <mutex>
#include <system_error>

namespace xdna::emu::pci {

GuestMemory::~GuestMemory() {
    for (auto& [id, file] : files_) {
        ::munmap(file.data, file.size);
    }
}

GuestMemory::File& GuestMemory::mapped(const UniqueFd& file) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) {
        throw std::system_error(errno, std::generic_category(), "guest memory: fstat");
    }
    File& found = files_[{status.st_dev, status.st_ino}];
    if (found.data == nullptr) {
        const auto size = static_cast<uint64_t>(status.st_size);
        void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
        if (data == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "guest memory: mmap");
        }
        found = {static_cast<std::byte*>(data), size};
    }
    return found;
}

bool GuestMemory::map(uint64_t address, uint64_t size, UniqueFd file, uint64_t offset,
                      bool writable) {
    const std::unique_lock lock(mutex_);
    const auto next = windows_.upper_bound(address);
    if (next != windows_.end() && next->first - address < size) {
        return false;
    }
    if (next != windows_.begin()) {
        const auto& [start, before] = *std::prev(next);
        if (address - start < before.size) {
            return false;
        }
    }
    Window window{.size = size, .data = nullptr, .writable = writable};
    if (file) {
        const File& memory = mapped(file);
        if (offset > memory.size || size > memory.size - offset) {
            throw std::system_error(EINVAL, std::generic_category(),
                                    "guest memory: a window past the end of its file");
        }
        window.data = memory.data + offset;
    }
    windows_[address] = window;
    return true;
}

void GuestMemory::unmap(uint64_t address, uint64_t size) {
    const std::unique_lock lock(mutex_);
    auto at = windows_.lower_bound(address);
    while (at != windows_.end() && at->first - address < size) {
        at = windows_.erase(at);
    }
}

template <typename Piece>
bool GuestMemory::walk(uint64_t address, size_t size, bool write, Piece piece) {
    auto at = windows_.upper_bound(address);
    if (at == windows_.begin()) {
        return size == 0;
    }
    for (--at; size != 0; ++at) {
        if (at == windows_.end() || at->first > address || address - at->first >= at->second.size) {
            return false;
        }
        const Window& window = at->second;
        if (window.data == nullptr || (write && !window.writable)) {
            return false;
        }
        const uint64_t skip = address - at->first;
        const auto part = static_cast<size_t>(std::min<uint64_t>(size, window.size - skip));
        if (!piece(window.data + skip, part)) {
            return false;
        }
        address += part;
        size -= part;
    }
    return true;
}

bool GuestMemory::read(uint64_t address, void* to, size_t size) {
    const std::shared_lock lock(mutex_);
    return walk(address, size, false, [&to](const std::byte* data, size_t part) {
        std::memcpy(to, data, part);
        to = static_cast<std::byte*>(to) + part;
        return true;
    });
}

bool GuestMemory::write(uint64_t address, const void* from, size_t size) {
    const std::shared_lock lock(mutex_);
    return walk(address, size, true, [&from](std::byte* data, size_t part) {
        std::memcpy(data, from, part);
        from = static_cast<const std::byte*>(from) + part;
        return true;
    });
}

std::byte* GuestMemory::span(uint64_t address, size_t size) {
    const std::shared_lock lock(mutex_);
    std::byte* start = nullptr;
    std::byte* end = nullptr;
    const bool whole = walk(address, size, true, [&](std::byte* data, size_t part) {
        if (start == nullptr) {
            start = data;
        } else if (data != end) {
            return false;
        }
        end = data + part;
        return true;
    });
    return whole ? start : nullptr;
}

}  // namespace xdna::emu::pci
