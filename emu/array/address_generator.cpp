#include "emu/array/address_generator.hpp"

#include <algorithm>

namespace xdna::emu {
namespace {

uint32_t extent(const Dimension& d) {
    return d.before + d.wrap + d.after;
}

bool in_padding(const Dimension& d, uint32_t at) {
    return at < d.before || (d.wrap != 0 && at - d.before >= d.wrap);
}

}  // namespace

AddressGenerator::AddressGenerator(const Dimensions& dimensions) : dimensions_(dimensions) {
    const bool padded = std::any_of(dimensions_.begin(), dimensions_.end(),
                                    [](const Dimension& d) { return d.before + d.after != 0; });
    // Rows of one word, and rows that lie end to end, make one longer row: fewer, longer runs.
    Dimension& inner = dimensions_[0];
    for (unsigned k = 1; !padded && k < kDimensions && inner.wrap != 0; ++k) {
        if (inner.wrap == 1) {
            inner = dimensions_[1];
        } else if (uint64_t{inner.step} * inner.wrap == dimensions_[1].step) {
            inner.wrap *= dimensions_[1].wrap;
        } else {
            break;
        }
        std::move(dimensions_.begin() + 2, dimensions_.end(), dimensions_.begin() + 1);
        dimensions_.back() = {};
    }
}

AddressRun AddressGenerator::next(uint32_t most) {
    const Dimension& inner = dimensions_[0];
    AddressRun run;
    run.stride = inner.step;
    for (unsigned k = 1; k < kDimensions; ++k) {
        run.zeros |= in_padding(dimensions_[k], at_[k]);
    }
    uint32_t left = most;
    if (run.zeros) {
        left = inner.wrap != 0 ? extent(inner) - at_[0] : most;
    } else if (at_[0] < inner.before) {
        run.zeros = true;
        left = inner.before - at_[0];
    } else if (in_padding(inner, at_[0])) {
        run.zeros = true;
        left = extent(inner) - at_[0];
    } else if (inner.wrap != 0) {
        left = inner.before + inner.wrap - at_[0];
    }
    run.count = std::min(left, most);
    if (!run.zeros) {
        for (unsigned k = 0; k < kDimensions; ++k) {
            run.offset += uint64_t{at_[k] - dimensions_[k].before} * dimensions_[k].step;
        }
    }
    at_[0] += run.count;
    for (unsigned k = 0; k + 1 < kDimensions; ++k) {
        if (dimensions_[k].wrap == 0 || at_[k] < extent(dimensions_[k])) {
            break;
        }
        at_[k] = 0;
        ++at_[k + 1];
    }
    return run;
}

}  // namespace xdna::emu
