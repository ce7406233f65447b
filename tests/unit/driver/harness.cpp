#include "tests/unit/driver/harness.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace xdna::emu::test {

namespace {

int copy_own(uint64_t address, void* buffer, size_t size, bool write) {
    iovec here{buffer, size};
    iovec there{reinterpret_cast<void*>(address), size};
    const ssize_t done = write ? ::process_vm_writev(::getpid(), &here, 1, &there, 1, 0)
                               : ::process_vm_readv(::getpid(), &here, 1, &there, 1, 0);
    return done == static_cast<ssize_t>(size) ? 0 : -EFAULT;
}

}  // namespace

int TestCaller::copy_in(void* to, uint64_t from, size_t size) {
    return copy_own(from, to, size, false);
}

int TestCaller::copy_out(uint64_t to, const void* from, size_t size) {
    std::vector<std::byte> copy(size);
    std::memcpy(copy.data(), from, size);
    return copy_own(to, copy.data(), size, true);
}

UniqueFd TestCaller::take_fd(int fd) {
    return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

void TestCaller::give_fd(UniqueFd fd, size_t arg_offset, bool cloexec) {
    given = std::move(fd);
    given_at = arg_offset;
    given_cloexec = cloexec;
}

bool TestCaller::interrupted() const {
    const std::lock_guard lock(mutex_);
    return interrupted_;
}

void TestCaller::on_interrupt(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
}

void TestCaller::interrupt() {
    std::function<void()> wake;
    {
        const std::lock_guard lock(mutex_);
        interrupted_ = true;
        wake = wake_;
    }
    if (wake) {
        wake();
    }
}

void TestCaller::clear_interrupt() {
    const std::lock_guard lock(mutex_);
    interrupted_ = false;
}

Map& Map::operator=(Map&& other) noexcept {
    unmap();
    file_ = std::exchange(other.file_, nullptr);
    pid_ = other.pid_;
    at_ = std::exchange(other.at_, nullptr);
    size_ = other.size_;
    return *this;
}

void Map::unmap() {
    if (at_ == nullptr) {
        return;
    }
    if (file_ != nullptr) {
        file_->unmapped(pid_, address(), size_);
    }
    ::munmap(at_, size_);
    at_ = nullptr;
}

int64_t TestFile::create(uint32_t type, uint64_t size, uint64_t vaddr, uint64_t flags) {
    amdxdna_drm_create_bo args{};
    args.flags = flags;
    args.vaddr = vaddr;
    args.size = size;
    args.type = type;
    const int error = call(DRM_IOCTL_AMDXDNA_CREATE_BO, args);
    return error != 0 ? int64_t{error} : int64_t{args.handle};
}

amdxdna_drm_get_bo_info TestFile::info(uint32_t handle) {
    amdxdna_drm_get_bo_info args{};
    args.handle = handle;
    EXPECT_EQ(call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, args), 0);
    return args;
}

int TestFile::gem_close(uint32_t handle) {
    drm_gem_close args{};
    args.handle = handle;
    return call(DRM_IOCTL_GEM_CLOSE, args);
}

int TestFile::map(uint32_t handle, size_t size, Map& out, int prot, int flags) {
    const uint64_t offset = info(handle).map_offset;
    Mapping mapping;
    if (const int error = file_->mmap(*caller_, offset, size, prot, flags, mapping); error != 0) {
        return error;
    }
    void* at = ::mmap(nullptr, size, prot, MAP_SHARED, mapping.memory.get(),
                      static_cast<off_t>(mapping.offset));
    EXPECT_NE(at, MAP_FAILED);
    file_->mapped(caller_->pid(), offset, reinterpret_cast<uint64_t>(at), size);
    out = Map(file_.get(), caller_->pid(), at, size);
    return 0;
}

Map TestFile::heap(uint32_t* handle) {
    const int64_t created = create(AMDXDNA_BO_DEV_HEAP, kHeapSize);
    EXPECT_GT(created, 0);
    Map out;
    EXPECT_EQ(map(static_cast<uint32_t>(created), kHeapSize, out), 0);
    if (handle != nullptr) {
        *handle = static_cast<uint32_t>(created);
    }
    return out;
}

int TestFile::context(uint32_t columns, amdxdna_drm_create_hwctx& out) {
    static const amdxdna_qos_info kNoQos{};
    out = {};
    out.qos_p = reinterpret_cast<uint64_t>(&kNoQos);
    out.num_tiles = columns * 4;
    return call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, out);
}

int TestFile::destroy_context(uint32_t handle) {
    amdxdna_drm_destroy_hwctx args{};
    args.handle = handle;
    return call(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, args);
}

int TestFile::wait(uint32_t syncobj, uint64_t point, int64_t timeout_ms) {
    drm_syncobj_timeline_wait args{};
    args.handles = reinterpret_cast<uint64_t>(&syncobj);
    args.points = reinterpret_cast<uint64_t>(&point);
    args.count_handles = 1;
    args.timeout_nsec = deadline(timeout_ms);
    return call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, args);
}

int TestFile::exec(uint32_t context, uint32_t command, const std::vector<uint32_t>& bos,
                   uint64_t& seq) {
    amdxdna_drm_exec_cmd args{};
    args.hwctx = context;
    args.cmd_handles = command;
    args.cmd_count = 1;
    args.args = reinterpret_cast<uint64_t>(bos.data());
    args.arg_count = static_cast<uint32_t>(bos.size());
    const int error = call(DRM_IOCTL_AMDXDNA_EXEC_CMD, args);
    seq = args.seq;
    return error;
}

int64_t deadline(int64_t ms) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() + ms * 1000000;
}

namespace {

/// XDNA_TEST_LOG=1 shows the device's log.
Driver::Options with_log(Driver::Options options) {
    if (std::getenv("XDNA_TEST_LOG") != nullptr) {
        options.log = [](const LogLine& line) { std::fprintf(stderr, "%s\n", line.text.c_str()); };
    }
    return options;
}

}  // namespace

DriverTest::DriverTest(Driver::Options options)
    : driver(Driver::create(with_log(std::move(options)))),
      file(std::make_unique<TestFile>(*driver, caller)) {}

bool DriverTest::logged(const std::string& text) const {
    for (const LogLine& line : driver->log()) {
        if (line.text.find(text) != std::string::npos) {
            return true;
        }
    }
    return false;
}

}  // namespace xdna::emu::test
