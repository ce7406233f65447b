#include "tests/unit/xdna/script.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <ostream>

namespace xdna::test {
namespace {

/// The scripts there are: one a device.
std::mutex scripts_mutex;
std::vector<Script*> scripts;

Script* owner_of(int fd) {
    const std::lock_guard lock(scripts_mutex);
    for (Script* script : scripts) {
        if (script->owns(fd)) {
            return script;
        }
    }
    return nullptr;
}

std::string describe(const Bytes& expected, const uint8_t* got) {
    std::string text;
    for (size_t i = 0; i < expected.size(); i++) {
        if (expected[i] != got[i]) {
            char line[64];
            std::snprintf(line, sizeof line, "\n  byte %zu: %02x, expected %02x", i, got[i],
                          expected[i]);
            text += line;
        }
    }
    return text;
}

std::string request_name(unsigned long request) {
    char text[64];
    std::snprintf(text, sizeof text, "ioctl number 0x%lx of %lu bytes", request & 0xff,
                  request >> 16 & 0x3fff);
    return text;
}

}  // namespace

Script::Script() {
    fd_ = memfd_create("xdna-script", MFD_CLOEXEC);
    // Sparse: the heap's 64 MiB lie behind 4 GiB of nothing.
    EXPECT_EQ(ftruncate(fd_, static_cast<off_t>(kHeapOffset + 2 * kHeapSize)), 0);
    struct stat status {};
    EXPECT_EQ(fstat(fd_, &status), 0);
    inode_ = status.st_ino;
    volume_ = status.st_dev;
    const std::lock_guard lock(scripts_mutex);
    scripts.push_back(this);
}

Script::~Script() {
    check_done();
    {
        const std::lock_guard lock(scripts_mutex);
        std::erase(scripts, this);
    }
    ::close(fd_);
}

bool Script::owns(int fd) const {
    struct stat status {};
    return fstat(fd, &status) == 0 && status.st_ino == inode_ && status.st_dev == volume_;
}

void Script::answer_all(std::function<int(unsigned long, void*)> answer) {
    answer_ = std::move(answer);
}

void Script::expect_bytes(unsigned long request, Bytes in, Bytes out, int error,
                          std::vector<Pointed> pointed, Effect effect) {
    steps_.push_back(
        {request, std::move(in), std::move(out), error, std::move(pointed), std::move(effect)});
}

void Script::check_done() {
    EXPECT_TRUE(steps_.empty()) << steps_.size() << " scripted ioctls were not made; the next is "
                                << request_name(steps_.empty() ? 0 : steps_.front().request);
    steps_.clear();
}

int Script::handle(unsigned long request, void* argument) {
    if (answer_) {
        return answer_(request, argument);
    }
    const std::lock_guard lock(mutex_);
    if (steps_.empty()) {
        ADD_FAILURE() << "beyond the script's end: " << request_name(request);
        return -EIO;
    }
    Step step = std::move(steps_.front());
    steps_.pop_front();
    if ((request & 0xff) != (step.request & 0xff)) {
        ADD_FAILURE() << request_name(request) << ", expected " << request_name(step.request);
        return -EIO;
    }
    EXPECT_GE(request >> 16 & 0x3fff, step.in.size()) << request_name(request);
    auto* got = static_cast<uint8_t*>(argument);
    Bytes out = step.out.empty() ? step.in : step.out;
    for (const Pointed& pointed : step.pointed) {
        uint64_t address = 0;
        std::memcpy(&address, got + pointed.field, sizeof address);
        std::memcpy(step.in.data() + pointed.field, &address, sizeof address);
        std::memcpy(out.data() + pointed.field, &address, sizeof address);
        auto* memory = reinterpret_cast<uint8_t*>(address);
        if (memory == nullptr) {
            EXPECT_TRUE(pointed.expected.empty()) << "NULL in " << request_name(request);
            continue;
        }
        EXPECT_EQ(describe(pointed.expected, memory), "")
            << "memory that " << request_name(request) << " points at";
        std::copy(pointed.reply.begin(), pointed.reply.end(), memory);
    }
    EXPECT_EQ(describe(step.in, got), "") << request_name(request);
    std::memcpy(got, out.data(), out.size());
    return step.effect ? step.effect(argument) : -step.error;
}

const Kernel kLinux614{"Linux614", 0, kNoAddress};
const Kernel kLinux618{"Linux618", 6, kNoAddress};
const Kernel kLinux73{"Linux73", 10, 0x7000'0000};

std::ostream& operator<<(std::ostream& out, const Kernel& kernel) {
    return out << kernel.name;
}

std::function<int(unsigned long, void*)> answer_version(const char* name, int major, int minor) {
    // libdrm asks twice: first how long the texts are, then for them.
    return [=](unsigned long request, void* argument) {
        if ((request & 0xff) != (DRM_IOCTL_VERSION & 0xff)) {
            ADD_FAILURE() << "before the device is open: " << request_name(request);
            return -EIO;
        }
        auto* version = static_cast<drm_version*>(argument);
        version->version_major = major;
        version->version_minor = minor;
        version->version_patchlevel = 0;
        // As drm_copy_field() does it. The date has been "0" since Linux 6.14.
        const auto copy = [](char* to, __kernel_size_t& length, const char* text) {
            if (to != nullptr) {
                std::memcpy(to, text, std::min<size_t>(length, std::strlen(text)));
            }
            length = std::strlen(text);
        };
        copy(version->name, version->name_len, name);
        copy(version->date, version->date_len, "0");
        copy(version->desc, version->desc_len, "AMD XDNA DRM implementation");
        return 0;
    };
}

Machine::Machine(const Kernel& which) : kernel(which) {
    script.answer_all(answer_version("amdxdna_accel_driver", 0, static_cast<int>(which.minor)));
    EXPECT_EQ(xdna_device_open_fd(script.fd(), &device), 0) << xdna_error_message();
    script.answer_all({});
}

Machine::~Machine() {
    if (device != nullptr) {
        close();
    }
    for (auto [memory, size] : views_) {
        munmap(memory, size);
    }
}

void Machine::close() {
    if (has_heap_) {
        expect_close(1);
    }
    xdna_device_close(device);
    device = nullptr;
    script.check_done();
}

void Machine::expect_mapped_bo(uint32_t type, uint64_t size, uint32_t handle) {
    amdxdna_drm_create_bo create{};
    create.type = type;
    create.size = (size + 4095) & ~uint64_t{4095};
    amdxdna_drm_create_bo created = create;
    created.handle = handle;
    script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, created);
    amdxdna_drm_get_bo_info info{};
    info.handle = handle;
    amdxdna_drm_get_bo_info before = info;
    before.map_offset = uint64_t{handle} << 20;
    before.vaddr = kNoAddress;
    before.xdna_addr = kNoAddress;
    script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, before);
    amdxdna_drm_get_bo_info after = before;
    after.xdna_addr = kernel.share_address;
    script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, after);
}

void Machine::expect_heap() {
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_DEV_HEAP;
    create.size = kHeapSize;
    amdxdna_drm_create_bo created = create;
    created.handle = 1;
    script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, created);
    amdxdna_drm_get_bo_info info{};
    info.handle = 1;
    amdxdna_drm_get_bo_info answer = info;
    answer.map_offset = kHeapOffset;
    answer.vaddr = kNoAddress;
    answer.xdna_addr = kHeapAddress;
    script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, answer);
    has_heap_ = true;
}

void Machine::expect_dev_bo(uint64_t size, uint32_t handle, uint64_t offset) {
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_DEV;
    create.size = (size + 4095) & ~uint64_t{4095};
    amdxdna_drm_create_bo created = create;
    created.handle = handle;
    script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, created);
    amdxdna_drm_get_bo_info info{};
    info.handle = handle;
    amdxdna_drm_get_bo_info answer = info;
    answer.map_offset = kNoAddress;
    answer.xdna_addr = kHeapAddress + offset;
    script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, answer);
}

void Machine::expect_close(uint32_t handle) {
    drm_gem_close close{};
    close.handle = handle;
    script.expect(DRM_IOCTL_GEM_CLOSE, close);
}

void Machine::expect_metadata() {
    amdxdna_drm_query_aie_metadata metadata{};
    metadata.col_size = 4096;
    metadata.cols = 5;
    metadata.rows = 6;
    metadata.version = {2, 0};
    metadata.core = {4, 2, 4, 16, 8, {}};
    metadata.mem = {1, 1, 12, 64, 8, {}};
    metadata.shim = {1, 0, 4, 16, 8, {}};
    amdxdna_drm_get_info info{};
    info.param = DRM_AMDXDNA_QUERY_AIE_METADATA;
    info.buffer_size = sizeof metadata;
    script.expect(DRM_IOCTL_AMDXDNA_GET_INFO, info, 0,
                  {{offsetof(amdxdna_drm_get_info, buffer), {}, bytes_of(metadata)}});
}

xdna_bo* Machine::make_share(uint64_t size, uint32_t handle) {
    expect_mapped_bo(AMDXDNA_BO_SHARE, size, handle);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(device, XDNA_BO_SHARE, size, &bo), 0) << xdna_error_message();
    return bo;
}

xdna_bo* Machine::make_dev(uint64_t size, uint32_t handle, uint64_t offset, bool with_heap) {
    if (with_heap) {
        expect_heap();
    }
    expect_dev_bo(size, handle, offset);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(device, XDNA_BO_DEV, size, &bo), 0) << xdna_error_message();
    return bo;
}

xdna_hwctx* Machine::make_hwctx(uint32_t columns, uint32_t handle, bool is_first) {
    if (is_first) {
        expect_metadata();
        expect_heap();
    }
    amdxdna_drm_create_hwctx create{};
    create.num_tiles = columns * 4;
    amdxdna_drm_create_hwctx created = create;
    created.handle = handle;
    created.syncobj_handle = handle + 100;
    created.umq_doorbell = AMDXDNA_INVALID_DOORBELL_OFFSET;
    script.expect(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, create, created, 0,
                  {{offsetof(amdxdna_drm_create_hwctx, qos_p), Bytes(24), {}}});
    xdna_hwctx_options options{};
    options.columns = columns;
    xdna_hwctx* hwctx = nullptr;
    EXPECT_EQ(xdna_hwctx_create(device, &options, &hwctx), 0) << xdna_error_message();
    return hwctx;
}

xdna_cmd* Machine::make_cmd(xdna_hwctx* hwctx, uint32_t handle) {
    expect_mapped_bo(AMDXDNA_BO_CMD, 4096, handle);
    xdna_cmd* cmd = nullptr;
    EXPECT_EQ(xdna_cmd_create(hwctx, 0, &cmd), 0) << xdna_error_message();
    return cmd;
}

void Machine::destroy(xdna_bo* bo) {
    if (xdna_bo_get_type(bo) != XDNA_BO_DEV_HEAP) {
        expect_close(xdna_bo_handle(bo));
    }
    xdna_bo_destroy(bo);
    script.check_done();
}

void Machine::destroy(xdna_hwctx* hwctx) {
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = xdna_hwctx_handle(hwctx);
    script.expect(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy);
    drm_syncobj_destroy syncobj{};
    syncobj.handle = xdna_hwctx_syncobj(hwctx);
    script.expect(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj);
    xdna_hwctx_destroy(hwctx);
    script.check_done();
}

uint8_t* Machine::kernel_view(uint32_t handle, size_t size) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, script.memory(),
                        static_cast<off_t>(uint64_t{handle} << 20));
    EXPECT_NE(memory, MAP_FAILED);
    views_.emplace_back(memory, size);
    return static_cast<uint8_t*>(memory);
}

}  // namespace xdna::test

/// Stands before libc's ioctl() in this program, and visibly, so that libdrm calls it, too.
extern "C" [[gnu::visibility("default")]] int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    xdna::test::Script* script = xdna::test::owner_of(fd);
    if (script == nullptr) {
        return static_cast<int>(syscall(SYS_ioctl, fd, request, argument));
    }
    const int result = script->handle(request, argument);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}
