#include "emu/uapi/driver/device.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

/// drm_vma_manager.h: fake offsets of BOs, in pages.
constexpr uint64_t kFirstMapPage = 1ULL << 20;
constexpr uint64_t kMapPages = 0xfffffULL * 256;
constexpr size_t kLogLines = 4096;

uint64_t now_us() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                     Device::Clock::now().time_since_epoch())
                                     .count());
}

}  // namespace

MessageBuffer::MessageBuffer(Device& device, uint64_t size)
    : device_(device), size_(std::bit_ceil(std::max<uint64_t>(size, 8192))) {
    int error = 0;
    const auto address = device.iovas.allocate(size_, true);
    if (!address) {
        return;
    }
    address_ = *address;
    memory_ = BoMemory::create(size_, error);
    if (memory_) {
        device.iova_space()->map(address_, size_, memory_, 0);
    }
}

MessageBuffer::~MessageBuffer() {
    if (address_ != 0) {
        device_.iova_space()->unmap(address_, size_);
        device_.iovas.free(address_);
    }
}

Device::Device(const Driver::Options& opts)
    : options(opts),
      map_pages(kFirstMapPage, kMapPages),
      solver(5),
      iova_space_(std::make_shared<AddressSpace>(0)),
      idle_since_(Clock::now()) {
    firmware_ = std::make_unique<firmware::Firmware>(
        *this,
        [this](bool error, const std::string& line) {
            log(error ? LogLine::Level::kError : LogLine::Level::kInfo, "firmware: %s",
                line.c_str());
        },
        options.observers);
    last_signal = Clock::now();
}

void Device::start() {
    const Lock lock(mutex);
    tiles = firmware_->query_tile_info().info;
    solver = ColumnSolver(tiles.cols);
    if (options.force_iova) {
        log(LogLine::Level::kWarning, "amdxdna_iommu_init: Enabled force_iova mode.");
    }
    async_buffers_ = std::make_unique<MessageBuffer>(*this, kAsyncBufferSize * tiles.cols);
    register_async_events();
    const auto version = firmware_->query_version();
    log(LogLine::Level::kInfo, "Initialized amdxdna_accel_driver 0.10.0, firmware %u.%u.%u.%u",
        version.major, version.minor, version.sub, version.build);
    watcher_ = std::thread([this] { watch(); });
}

Device::~Device() {
    {
        const Lock lock(mutex);
        stopping_ = true;
        watch_changed_.notify_all();
    }
    if (watcher_.joinable()) {
        watcher_.join();
    }
    firmware_.reset();
    async_buffers_.reset();
}

void Device::log(LogLine::Level level, const char* format, ...) {
    char text[512];
    std::va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    LogLine line{level, now_us(), text};
    if (options.log) {
        options.log(line);
    }
    const std::lock_guard guard(log_mutex_);
    if (log_.size() == kLogLines) {
        log_.pop_front();
    }
    log_.push_back(std::move(line));
}

std::vector<LogLine> Device::log_lines() const {
    const std::lock_guard guard(log_mutex_);
    return {log_.begin(), log_.end()};
}

void Device::notify() {
    armed_.remove_if([](PointWatch& watch) { return watch.poll(nullptr); });
    for (auto& [inode, given] : given_fds) {
        if (given.fence && !given.told && given.fence->signaled()) {
            given.told = ::write(given.ours.get(), "", 1) == 1;
        }
    }
    changed_.notify_all();
}

void Device::reap_given_fds() {
    std::erase_if(given_fds, [](auto& entry) {
        pollfd poll{entry.second.ours.get(), 0, 0};
        return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLHUP | POLLERR)) != 0;
    });
}

std::shared_ptr<Mm> Device::mm(pid_t pid) {
    auto& found = mms_[pid];
    if (!found) {
        found = std::make_shared<Mm>(pid);
    }
    return found;
}

void Device::bind(Mm& mm) {
    if (mm.clients++ > 0) {
        return;
    }
    const std::lock_guard guard(spaces_mutex_);
    mm.pasid = 1;
    while (spaces_.count(mm.pasid) != 0) {
        ++mm.pasid;
    }
    spaces_[mm.pasid] = mm.space;
}

void Device::unbind(Mm& mm) {
    if (--mm.clients > 0) {
        return;
    }
    {
        const std::lock_guard guard(spaces_mutex_);
        spaces_.erase(mm.pasid);
        mm.pasid = 0;
    }
    const auto found = mms_.find(mm.pid);
    if (found != mms_.end() && found->second.get() == &mm && mm.vmas.empty() &&
        mm.pinned_pages == 0) {
        mms_.erase(found);
    }
}

std::shared_ptr<HostMemory> Device::space(uint16_t pasid) {
    if (pasid == 0) {
        return iova_space_;
    }
    const std::lock_guard guard(spaces_mutex_);
    const auto found = spaces_.find(pasid);
    return found == spaces_.end() ? nullptr : found->second;
}

void Device::unmap(Lock& lock, pid_t pid, uint64_t address, uint64_t length) {
    const auto found = mms_.find(pid);
    if (found == mms_.end()) {
        return;
    }
    const std::shared_ptr<Mm> mm = found->second;
    const bool everything = address == 0 && length == UINT64_MAX;
    const uint64_t end = length > UINT64_MAX - address ? UINT64_MAX : address + length;

    // aie2_hmm_invalidate(): the pages stay until the commands that list the BO are done.
    const auto overlapping = [&] {
        std::vector<uint64_t> starts;
        for (auto vma = mm->vmas.begin(); vma != mm->vmas.end() && vma->first < end; ++vma) {
            if (vma->second.end > address) {
                starts.push_back(vma->first);
            }
        }
        return starts;
    };
    if (!everything) {
        std::vector<std::shared_ptr<Reservation>> busy;
        for (const uint64_t start : overlapping()) {
            busy.push_back(mm->vmas.at(start).bo->reservation);
        }
        changed_.wait(lock, [&] {
            return stopping_ || std::all_of(busy.begin(), busy.end(),
                                            [](const auto& resv) { return resv->idle(); });
        });
    }

    for (const uint64_t start : overlapping()) {
        const Mm::Vma vma = mm->vmas.at(start);
        mm->vmas.erase(start);
        if (start < address) {
            mm->vmas[start] = {address, vma.bo};
        }
        if (vma.end > end) {
            mm->vmas[end] = {vma.end, vma.bo};
        }
        // Losing any page of it ends what the driver knew of a mapping.
        auto& umaps = vma.bo->umaps;
        const size_t before = umaps.size();
        std::erase_if(umaps, [&](const Bo::Umap& umap) {
            return umap.pid == pid && umap.start < end && umap.end > address;
        });
        if (before != 0 && umaps.empty()) {
            vma.bo->user_address = kInvalidAddress;
        }
    }
    mm->space->unmap(address, length);
    if (everything) {
        mm->space->retire();
        mms_.erase(pid);
    }
}

int Device::map_iova(Bo& bo) {
    if (bo.type != AMDXDNA_BO_SHARE && bo.type != AMDXDNA_BO_DEV_HEAP) {
        return 0;
    }
    const auto address = iovas.allocate(bo.size, bo.type == AMDXDNA_BO_DEV_HEAP);
    if (!address) {
        return -ENOMEM;
    }
    bo.iova = *address;
    if (bo.memory) {
        iova_space_->map(bo.iova, bo.size, bo.memory, 0);
    } else if (bo.user_pages) {
        uint64_t at = bo.iova;
        for (const auto& range : bo.user_pages->ranges) {
            iova_space_->map_process(at, range.length, bo.user_pages->pid, range.address);
            at += range.length;
        }
    }
    return 0;
}

void Device::unmap_iova(Bo& bo) {
    if (bo.iova != kInvalidAddress) {
        iova_space_->unmap(bo.iova, bo.size);
        iovas.free(bo.iova);
        bo.iova = kInvalidAddress;
    }
}

void Device::register_async_event(uint32_t buffer) {
    firmware_->register_async_event(
        {async_buffers_->address() + buffer * kAsyncBufferSize, kAsyncBufferSize},
        [this, buffer](const firmware::AsyncEventReply&) { async_error(buffer); });
}

void Device::register_async_events() {
    for (uint32_t column = 0; column < tiles.cols; ++column) {
        register_async_event(column);
    }
}

}  // namespace xdna::emu::driver
