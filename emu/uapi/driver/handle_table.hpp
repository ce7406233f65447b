// Handles as the kernel's idr and xarray give them: the lowest free number, from 1.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace xdna::emu::driver {

template <typename T>
class HandleTable {
  public:
    uint32_t insert(std::shared_ptr<T> object) {
        if (!free_.empty()) {
            const uint32_t handle = *free_.begin();
            free_.erase(free_.begin());
            objects_[handle - 1] = std::move(object);
            return handle;
        }
        objects_.push_back(std::move(object));
        return static_cast<uint32_t>(objects_.size());
    }

    std::shared_ptr<T> find(uint32_t handle) const {
        return handle == 0 || handle > objects_.size() ? nullptr : objects_[handle - 1];
    }

    /// Takes the object of `handle` out of the table; empty if there is none.
    std::shared_ptr<T> remove(uint32_t handle) {
        if (handle == 0 || handle > objects_.size() || !objects_[handle - 1]) {
            return nullptr;
        }
        free_.insert(handle);
        return std::move(objects_[handle - 1]);
    }

    /// Handles in use, ascending.
    std::vector<uint32_t> handles() const {
        std::vector<uint32_t> out;
        for (uint32_t i = 0; i < objects_.size(); ++i) {
            if (objects_[i]) {
                out.push_back(i + 1);
            }
        }
        return out;
    }

  private:
    std::vector<std::shared_ptr<T>> objects_;
    std::set<uint32_t> free_;
};

}  // namespace xdna::emu::driver
