// An open file of the node: what DRM calls a file and amdxdna a client. Its methods are the ioctls,
// spread over the files of the nouns they are about.
#pragma once

#include <drm/amdxdna_accel.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/driver/bo.hpp"
#include "emu/uapi/driver/device.hpp"
#include "emu/uapi/driver/handle_table.hpp"
#include "emu/uapi/driver/hwctx.hpp"
#include "emu/uapi/driver/range_allocator.hpp"
#include "emu/uapi/driver/syncobj.hpp"

namespace xdna::emu::driver {

using Lock = std::unique_lock<std::mutex>;

/// amdxdna_pci_drv.c, amdxdna_drm_drv.
constexpr char kDriverName[] = "amdxdna_accel_driver";

class Client final : public File {
  public:
    Client(std::shared_ptr<Device> device, Caller& opener);
    ~Client() override;

    int ioctl(Caller& caller, unsigned long request, void* arg) override;
    int mmap(Caller& caller, uint64_t offset, uint64_t length, int prot, int flags,
             Mapping& out) override;
    void mapped(pid_t pid, uint64_t offset, uint64_t address, uint64_t length) override;
    void unmapped(pid_t pid, uint64_t address, uint64_t length) override;
    std::string fdinfo() const override;

    // DRM core (drm_core.cpp, gem.cpp, prime.cpp, syncobj.cpp)
    int version(Caller& caller, void* arg);
    int get_unique(Caller& caller, void* arg);
    int get_client(Caller& caller, void* arg);
    int get_stats(Caller& caller, void* arg);
    int get_cap(Caller& caller, void* arg);
    int set_master(Caller& caller, void* arg);
    int drop_master(Caller& caller, void* arg);
    int set_client_name(Caller& caller, void* arg);
    int gem_close(Caller& caller, void* arg);
    int gem_flink(Caller& caller, void* arg);
    int gem_open(Caller& caller, void* arg);
    int prime_handle_to_fd(Caller& caller, void* arg);
    int prime_fd_to_handle(Caller& caller, void* arg);
    int syncobj_create(Caller& caller, void* arg);
    int syncobj_destroy(Caller& caller, void* arg);
    int syncobj_handle_to_fd(Caller& caller, void* arg);
    int syncobj_fd_to_handle(Caller& caller, void* arg);
    int syncobj_transfer(Caller& caller, void* arg);
    int syncobj_wait(Caller& caller, void* arg);
    int syncobj_timeline_wait(Caller& caller, void* arg);
    int syncobj_eventfd(Caller& caller, void* arg);
    int syncobj_reset(Caller& caller, void* arg);
    int syncobj_signal(Caller& caller, void* arg);
    int syncobj_timeline_signal(Caller& caller, void* arg);
    int syncobj_query(Caller& caller, void* arg);

    // amdxdna (bo.cpp, hwctx.cpp, command.cpp, query.cpp)
    int create_hwctx(Caller& caller, void* arg);
    int destroy_hwctx(Caller& caller, void* arg);
    int config_hwctx(Caller& caller, void* arg);
    int create_bo(Caller& caller, void* arg);
    int get_bo_info(Caller& caller, void* arg);
    int sync_bo(Caller& caller, void* arg);
    int exec_cmd(Caller& caller, void* arg);
    int wait_cmd(Caller& caller, void* arg);
    int get_info(Caller& caller, void* arg);
    int set_state(Caller& caller, void* arg);
    int get_array(Caller& caller, void* arg);

    // What the device and the other clients look at; with the device's lock held.
    pid_t pid() const { return pid_; }
    bool authenticated() const { return authenticated_; }
    uint32_t pasid() const;
    const std::map<uint32_t, HwContextPtr>& contexts() const { return contexts_; }
    BoPtr find_bo(uint32_t handle) const { return bos_.find(handle); }
    /// The BO of `handle` if its type is `type`.
    BoPtr find_bo(uint32_t handle, uint32_t type) const;
    uint64_t heap_usage() const { return dev_ranges_->used; }

    uint64_t total_usage = 0;
    uint64_t internal_usage = 0;

  private:
    // gem.cpp
    int open_bo(const BoPtr& bo, uint32_t& handle);
    void close_bo(uint32_t handle, const BoPtr& bo);
    int add_map_offset(Bo& bo);

    // bo.cpp
    int create_share(Caller& caller, const amdxdna_drm_create_bo& args, BoPtr& out);
    int create_user_pages(Caller& caller, uint64_t table, BoPtr& out);
    int create_heap(Caller& caller, const amdxdna_drm_create_bo& args, BoPtr& out);
    int create_dev(uint64_t size, BoPtr& out);
    int import(UniqueFd fd, BoPtr& out);
    int import(std::shared_ptr<BoMemory> memory, UniqueFd dma_buf, BoPtr& out);
    int flush(const Bo& bo, uint64_t offset, uint64_t size) const;
    int sync_debug_bo(Lock& lock, Caller& caller, uint32_t handle);

    // syncobj.cpp
    int find_syncobjs(Caller& caller, uint64_t handles, uint32_t count,
                      std::vector<SyncobjPtr>& out);
    int wait_array(Caller& caller, const std::vector<SyncobjPtr>& objects, uint64_t points,
                   uint32_t flags, int64_t timeout, uint32_t& first);
    int find_fence(Lock& lock, Caller& caller, uint32_t handle, uint64_t point, uint64_t flags,
                   FencePtr& out);

    // hwctx.cpp
    int init_context(const HwContextPtr& context);
    void destroy_context(Lock& lock, const HwContextPtr& context);
    int config_cu(const HwContextPtr& context, const std::vector<uint8_t>& buffer, uint32_t size);
    int config_debug_bo(Lock& lock, Caller& caller, const HwContextPtr& context, uint32_t handle,
                        bool attach);

    // command.cpp
    int submit(Lock& lock, Caller& caller, const JobPtr& job, uint32_t command,
               const std::vector<uint32_t>& arguments, uint32_t context, uint64_t& seq);
    int run(const JobPtr& job);
    int run_user(const JobPtr& job);

    // query.cpp
    int query_contexts(std::vector<uint8_t>& out, uint32_t element_size, uint32_t limit);
    int get_column_status(Caller& caller, amdxdna_drm_get_info& args);
    int get_telemetry(Caller& caller, amdxdna_drm_get_info& args);

    std::shared_ptr<Device> device_;
    const pid_t pid_;
    const bool authenticated_;
    uint64_t id_ = 0;  ///< as fdinfo tells it
    std::shared_ptr<Mm> mm_;

    HandleTable<Bo> bos_;
    HandleTable<Syncobj> syncobjs_;
    std::map<uint64_t, uint32_t> handle_of_dma_buf_;  ///< by inode
    std::map<uint32_t, uint64_t> dma_buf_of_handle_;
    std::string name_;

    /// mmap() calls that passed and whose place is not reported yet.
    std::multiset<std::pair<pid_t, std::pair<uint64_t, uint64_t>>> pending_maps_;

    std::vector<BoPtr> heaps_;
    uint64_t total_heap_size_ = 0;
    std::shared_ptr<DevRanges> dev_ranges_ = std::make_shared<DevRanges>();

    std::map<uint32_t, HwContextPtr> contexts_;
    uint32_t next_context_ = 0;
};

}  // namespace xdna::emu::driver
