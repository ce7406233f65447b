#include "emu/firmware/context.hpp"

namespace xdna::emu::firmware {

uint64_t ContextMemory::left_in_heap(uint64_t address) const {
    return address >= kWindow && address - kWindow < heap_size_ ? heap_size_ - (address - kWindow)
                                                                : 0;
}

bool ContextMemory::translate(uint64_t& address, size_t size) const {
    if (!host_) {
        return false;
    }
    const uint64_t left = left_in_heap(address);
    if (left != 0) {
        if (left < size) {
            return false;
        }
        address = heap_ + (address - kWindow);
    }
    return true;
}

bool ContextMemory::read(uint64_t address, void* to, size_t size) {
    return translate(address, size) && host_->read(address, to, size);
}

bool ContextMemory::write(uint64_t address, const void* from, size_t size) {
    return translate(address, size) && host_->write(address, from, size);
}

std::byte* ContextMemory::span(uint64_t address, size_t size) {
    return translate(address, size) ? host_->span(address, size) : nullptr;
}

}  // namespace xdna::emu::firmware
