#include "emu/uapi/driver/iova_allocator.hpp"

#include <algorithm>
#include <bit>

namespace xdna::emu::driver {

std::optional<uint64_t> IovaAllocator::below(uint64_t limit, uint64_t pages,
                                             uint64_t alignment) const {
    uint64_t high = limit;
    auto next = used_.lower_bound(limit);
    while (true) {
        const bool any = next != used_.begin();
        const auto taken = any ? std::prev(next) : used_.end();
        const uint64_t low = any ? taken->first + taken->second : 1;  // page 0 stays unused
        if (high >= pages) {
            const uint64_t at = (high - pages) & ~(alignment - 1);
            if (at >= low) {
                return at;
            }
        }
        if (!any) {
            return std::nullopt;
        }
        high = std::min(high, taken->first);
        next = taken;
    }
}

std::optional<uint64_t> IovaAllocator::allocate(uint64_t size, bool size_aligned) {
    const uint64_t pages = (size + 4095) / 4096;
    if (pages == 0 || pages > kTop) {
        return std::nullopt;
    }
    const uint64_t alignment = size_aligned ? std::bit_ceil(pages) : 1;
    auto at = below(cursor_, pages, alignment);
    if (!at) {
        at = below(kTop, pages, alignment);
    }
    if (!at) {
        return std::nullopt;
    }
    used_.emplace(*at, pages);
    cursor_ = *at;
    return *at * 4096;
}

void IovaAllocator::free(uint64_t address) {
    const auto taken = used_.find(address / 4096);
    if (taken == used_.end()) {
        return;
    }
    if (taken->first >= cursor_) {
        const auto above = std::next(taken);
        cursor_ = above == used_.end() ? kTop : above->first;
    }
    used_.erase(taken);
}

}  // namespace xdna::emu::driver
