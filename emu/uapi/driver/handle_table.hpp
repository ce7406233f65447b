// Handles as the kernel's idr and xarray give them: the lowest free number, from 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace xdna::emu::driver {

template <typename T>
class HandleTable {
  public:
    uint32_t insert(std::shared_ptr<T> object) {
        ++in_use_;
        if (!free_.empty()) {
            const uint32_t handle = *free_.begin();
            free_.erase(free_.begin());
            objects_[handle] = std::move(object);
            return handle;
        }
        objects_.push_back(std::move(object));
        return static_cast<uint32_t>(objects_.size() - 1);
    }

    std::shared_ptr<T> find(uint32_t handle) const {
        return handle >= objects_.size() ? nullptr : objects_[handle];
    }

    /// Takes the object of `handle` out of the table; empty if there is none.
    std::shared_ptr<T> remove(uint32_t handle) {
        std::shared_ptr<T> object = find(handle);
        if (!object) {
            return nullptr;
        }
        --in_use_;
        objects_[handle] = nullptr;
        free_.insert(handle);
        return object;
    }

    /// What keeps handle 0 from being given away goes, as an xarray's does when that entry is
    /// erased (lib/xarray.c, XA_FLAGS_ZERO_BUSY). An empty table has no such entry to lose.
    void unmark_zero() {
        if (in_use_ != 0 && !objects_[0]) {
            free_.insert(0);
        }
    }

    /// Handles in use, ascending.
    std::vector<uint32_t> handles() const {
        std::vector<uint32_t> out;
        for (uint32_t handle = 0; handle < objects_.size(); ++handle) {
            if (objects_[handle]) {
                out.push_back(handle);
            }
        }
        return out;
    }

  private:
    std::vector<std::shared_ptr<T>> objects_ = std::vector<std::shared_ptr<T>>(1);  ///< by handle
    size_t in_use_ = 0;
    std::set<uint32_t> free_;
};

}  // namespace xdna::emu::driver
