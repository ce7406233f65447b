#include "emu/uapi/driver/address_space.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace xdna::emu::driver {

namespace {

/// A transfer may start in a page that exists and end in one that does not: all or nothing.
bool process_copy(pid_t pid, uint64_t address, void* buffer, size_t size, bool write) {
    iovec here{buffer, size};
    iovec there{reinterpret_cast<void*>(address), size};
    const ssize_t done = write ? ::process_vm_writev(pid, &here, 1, &there, 1, 0)
                               : ::process_vm_readv(pid, &here, 1, &there, 1, 0);
    return done == static_cast<ssize_t>(size);
}

}  // namespace

void AddressSpace::map(uint64_t address, uint64_t length, std::shared_ptr<BoMemory> memory,
                       uint64_t offset) {
    const std::lock_guard lock(mutex_);
    cut(address, length);
    regions_[address] = {length, std::move(memory), offset, 0, 0};
}

void AddressSpace::map_process(uint64_t address, uint64_t length, pid_t pid,
                               uint64_t process_address) {
    const std::lock_guard lock(mutex_);
    cut(address, length);
    regions_[address] = {length, nullptr, 0, pid, process_address};
}

void AddressSpace::unmap(uint64_t address, uint64_t length) {
    const std::lock_guard lock(mutex_);
    cut(address, length);
}

void AddressSpace::cut(uint64_t address, uint64_t length) {
    const uint64_t end = length > UINT64_MAX - address ? UINT64_MAX : address + length;
    auto region = regions_.lower_bound(address);
    if (region != regions_.begin()) {
        const auto before = std::prev(region);
        const uint64_t before_end = before->first + before->second.length;
        if (before_end > address) {
            Region& head = before->second;
            if (before_end > end) {
                Region tail = head;
                const uint64_t skipped = end - before->first;
                tail.length -= skipped;
                tail.offset += skipped;
                tail.process_address += skipped;
                regions_[end] = std::move(tail);
            }
            head.length = address - before->first;
        }
    }
    while (region != regions_.end() && region->first < end) {
        const uint64_t region_end = region->first + region->second.length;
        if (region_end > end) {
            Region tail = region->second;
            const uint64_t skipped = end - region->first;
            tail.length -= skipped;
            tail.offset += skipped;
            tail.process_address += skipped;
            regions_[end] = std::move(tail);
        }
        region = regions_.erase(region);
    }
}

AddressSpace::Regions::iterator AddressSpace::at(uint64_t address) {
    auto region = regions_.upper_bound(address);
    if (region == regions_.begin()) {
        return regions_.end();
    }
    --region;
    return address - region->first < region->second.length ? region : regions_.end();
}

template <typename Copy>
bool AddressSpace::walk(uint64_t address, size_t size, Copy copy) {
    if (size > UINT64_MAX - address) {
        return false;
    }
    size_t done = 0;
    while (done < size) {
        const uint64_t here = address + done;
        const auto region = at(here);
        uint64_t part = size - done;
        if (region != regions_.end()) {
            const uint64_t into = here - region->first;
            part = std::min(part, region->second.length - into);
            const Region& r = region->second;
            if (r.memory) {
                std::byte* data = r.memory->data();
                if (data == nullptr || r.offset + into + part > r.memory->size()) {
                    return false;
                }
                copy(done, data + r.offset + into, part, 0, 0);
            } else if (!copy(done, nullptr, part, r.pid, r.process_address + into)) {
                return false;
            }
        } else {
            if (pid_ == 0) {
                return false;
            }
            const auto next = regions_.upper_bound(here);
            if (next != regions_.end()) {
                part = std::min(part, next->first - here);
            }
            if (!copy(done, nullptr, part, pid_, here)) {
                return false;
            }
        }
        done += part;
    }
    return true;
}

bool AddressSpace::read(uint64_t address, void* to, size_t size) {
    const std::lock_guard lock(mutex_);
    auto* out = static_cast<std::byte*>(to);
    return walk(address, size,
                [out](size_t done, const std::byte* data, size_t part, pid_t pid, uint64_t there) {
                    if (data == nullptr) {
                        return process_copy(pid, there, out + done, part, false);
                    }
                    std::memcpy(out + done, data, part);
                    return true;
                });
}

bool AddressSpace::write(uint64_t address, const void* from, size_t size) {
    const std::lock_guard lock(mutex_);
    const auto* in = static_cast<const std::byte*>(from);
    // process_vm_writev takes its source as a mutable iovec, though it only reads it.
    auto* source = const_cast<std::byte*>(in);
    return walk(address, size,
                [in, source](size_t done, std::byte* data, size_t part, pid_t pid, uint64_t there) {
                    if (data == nullptr) {
                        return process_copy(pid, there, source + done, part, true);
                    }
                    std::memcpy(data, in + done, part);
                    return true;
                });
}

std::byte* AddressSpace::span(uint64_t address, size_t size) {
    const std::lock_guard lock(mutex_);
    const auto region = at(address);
    if (region == regions_.end() || !region->second.memory) {
        return nullptr;
    }
    const Region& r = region->second;
    const uint64_t into = address - region->first;
    std::byte* data = r.memory->data();
    if (data == nullptr || size > r.length - into || r.offset + into + size > r.memory->size()) {
        return nullptr;
    }
    in_use_.insert(r.memory);
    return data + r.offset + into;
}

void AddressSpace::retire() {
    const std::lock_guard lock(mutex_);
    regions_.clear();
    pid_ = 0;
}

void AddressSpace::release_spans() {
    const std::lock_guard lock(mutex_);
    in_use_.clear();
}

}  // namespace xdna::emu::driver
