#include "emu/uapi/driver/client.hpp"

#include <algorithm>

namespace xdna::emu::driver {

Client::Client(std::shared_ptr<Device> device, Caller& opener)
    : device_(std::move(device)), pid_(opener.pid()), authenticated_(opener.capable_sys_admin()) {
    const Lock lock(device_->mutex);
    id_ = ++device_->last_client_id;
    mm_ = device_->mm(pid_);
    if (!device_->options.force_iova) {
        device_->bind(*mm_);
    }
    device_->clients.push_back(this);
}

Client::~Client() {
    Lock lock(device_->mutex);
    // The order of drm_file_free(): syncobjs, handles, and only then the driver's own.
    syncobjs_ = {};
    for (const uint32_t handle : bos_.handles()) {
        close_bo(handle, bos_.remove(handle));
    }
    device_->clients.remove(this);
    while (!contexts_.empty()) {
        const HwContextPtr context = contexts_.begin()->second;
        contexts_.erase(contexts_.begin());
        destroy_context(lock, context);
    }
    heaps_.clear();
    if (!device_->options.force_iova) {
        device_->unbind(*mm_);
    }
    mm_.reset();
}

uint32_t Client::pasid() const {
    return device_->options.force_iova ? ~0U : mm_->pasid;
}

}  // namespace xdna::emu::driver
