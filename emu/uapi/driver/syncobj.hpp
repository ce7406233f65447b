// DRM synchronisation objects: a fence, or a timeline of them, that user space can wait for.
// Used with the device's lock held.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/driver/fence.hpp"

namespace xdna::emu::driver {

/// An eventfd that wants to know of a point.
struct PointWatch {
    UniqueFd event;
    uint64_t point = 0;
    bool available = false;  ///< when submitted, not when signalled
    FencePtr fence;          ///< once the point exists

    /// True when it has fired and is done.
    bool poll(const FencePtr& timeline);
};

struct Syncobj {
    FencePtr fence;
    std::list<PointWatch> watches;  ///< for points that do not exist yet
};
using SyncobjPtr = std::shared_ptr<Syncobj>;

class Device;
/// Adds `fence` to the object's timeline as `point`.
void add_point(Device& device, Syncobj& object, FencePtr fence, uint64_t point);

}  // namespace xdna::emu::driver
