#include "emu/uapi/driver/range_allocator.hpp"

#include <algorithm>
#include <vector>

namespace xdna::emu::driver {

RangeAllocator::RangeAllocator(uint64_t start, uint64_t size) {
    holes_.push_back({start, size});
}

std::optional<uint64_t> RangeAllocator::insert(uint64_t size, uint64_t alignment) {
    if (size == 0) {
        return std::nullopt;
    }
    // linux drivers/gpu/drm/drm_mm.c: holes by size; a hole that is large enough but has no aligned
    // place is passed over for the next larger one.
    auto best = holes_.end();
    for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
        const uint64_t at = (hole->start + alignment - 1) / alignment * alignment;
        const uint64_t end = hole->start + hole->size;
        if (at < hole->start || at > end || end - at < size) {
            continue;
        }
        if (best == holes_.end() || hole->size <= best->size) {
            best = hole;
        }
    }
    if (best == holes_.end()) {
        return std::nullopt;
    }
    const Hole hole = *best;
    holes_.erase(best);
    const uint64_t at = (hole.start + alignment - 1) / alignment * alignment;
    if (at > hole.start) {
        holes_.push_back({hole.start, at - hole.start});
    }
    if (at + size < hole.start + hole.size) {
        holes_.push_back({at + size, hole.start + hole.size - at - size});
    }
    used_.emplace(at, size);
    return at;
}

RangeAllocator::Holes::iterator RangeAllocator::hole_ending_at(uint64_t address) {
    return std::find_if(holes_.begin(), holes_.end(),
                        [&](const Hole& hole) { return hole.start + hole.size == address; });
}

RangeAllocator::Holes::iterator RangeAllocator::hole_starting_at(uint64_t address) {
    return std::find_if(holes_.begin(), holes_.end(),
                        [&](const Hole& hole) { return hole.start == address; });
}

void RangeAllocator::remove(uint64_t start) {
    const auto node = used_.find(start);
    if (node == used_.end()) {
        return;
    }
    Hole freed{node->first, node->second};
    used_.erase(node);
    if (auto before = hole_ending_at(freed.start); before != holes_.end()) {
        freed.start = before->start;
        freed.size += before->size;
        holes_.erase(before);
    }
    if (auto after = hole_starting_at(freed.start + freed.size); after != holes_.end()) {
        freed.size += after->size;
        holes_.erase(after);
    }
    holes_.push_back(freed);
}

std::optional<std::pair<uint64_t, uint64_t>> RangeAllocator::find(uint64_t address) const {
    auto node = used_.upper_bound(address);
    if (node == used_.begin()) {
        return std::nullopt;
    }
    --node;
    if (address - node->first >= node->second) {
        return std::nullopt;
    }
    return std::pair{node->first, node->second};
}

}  // namespace xdna::emu::driver
