// Buffer objects: what is asked of the driver, where they are mapped, how long they live.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/xdna/kernels.hpp"
#include "tests/unit/xdna/script.hpp"

namespace xdna::test {
namespace {

XDNA_ON_EVERY_KERNEL(BoOn);

TEST_P(BoOn, ShareIsMappedAndHasTheAddressThatTheNpuUses) {
    Machine machine(GetParam());
    xdna_bo* bo = machine.make_share(10000, 7);
    EXPECT_EQ(xdna_bo_size(bo), 10000U);
    EXPECT_EQ(xdna_bo_handle(bo), 7U);
    EXPECT_EQ(xdna_bo_get_type(bo), XDNA_BO_SHARE);
    std::memset(xdna_bo_memory(bo), 0x5a, 10000);
    EXPECT_EQ(machine.kernel_view(7, 10000)[9999], 0x5a);
    // Kernels that do not say translate the process's own addresses.
    const uint64_t expected = GetParam().share_address != kNoAddress
                                  ? GetParam().share_address
                                  : reinterpret_cast<uintptr_t>(xdna_bo_memory(bo));
    EXPECT_EQ(xdna_bo_address(bo), expected);
    machine.destroy(bo);
}

TEST_P(BoOn, TheFirstDevBoMakesTheHeap) {
    Machine machine(GetParam());
    xdna_bo* first = machine.make_dev(100, 2, 0, true);
    xdna_bo* second = machine.make_dev(4096, 3, 32768, false);
    EXPECT_EQ(xdna_bo_address(first), kHeapAddress);
    EXPECT_EQ(xdna_bo_address(second), kHeapAddress + 32768);
    EXPECT_EQ(static_cast<uint8_t*>(xdna_bo_memory(second)) -
                  static_cast<uint8_t*>(xdna_bo_memory(first)),
              32768);
    // The firmware maps the heap in 64 MiB units of the process's addresses.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(xdna_bo_memory(first)) % kHeapSize, 0U);
    machine.destroy(first);
    machine.destroy(second);
}

TEST(Bo, DevBosAreZeroAlthoughTheHeapIsReused) {
    Machine machine(kLinux73);
    xdna_bo* bo = machine.make_dev(4096, 2, 0, true);
    std::memset(xdna_bo_memory(bo), 0xff, 4096);
    machine.destroy(bo);
    bo = machine.make_dev(4096, 3, 0, false);
    EXPECT_EQ(static_cast<uint8_t*>(xdna_bo_memory(bo))[4095], 0);
    machine.destroy(bo);
}

TEST(Bo, DevBoOutsideTheHeapIsAnErrorOfTheDriver) {
    Machine machine(kLinux73);
    machine.expect_heap();
    machine.expect_dev_bo(4096, 2, kHeapSize);
    machine.expect_close(2);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV, 4096, &bo), -EIO);
    EXPECT_EQ(bo, nullptr);
}

TEST(Bo, OneHeapOfTheRightSize) {
    Machine machine(kLinux73);
    xdna_bo* heap = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV_HEAP, kHeapSize - 4096, &heap), -EINVAL);
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV_HEAP, 0, &heap), -EINVAL);
    machine.expect_heap();
    ASSERT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV_HEAP, kHeapSize, &heap), 0);
    EXPECT_EQ(xdna_bo_size(heap), kHeapSize);
    EXPECT_EQ(xdna_bo_address(heap), kHeapAddress);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(xdna_bo_memory(heap)) % kHeapSize, 0U);
    xdna_bo* second = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV_HEAP, kHeapSize, &second), -EBUSY);
    // DEV BOs keep the heap after its own BO is gone: the driver does, too.
    xdna_bo* dev = machine.make_dev(4096, 2, 0, false);
    machine.destroy(heap);
    std::memset(xdna_bo_memory(dev), 1, 4096);
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV_HEAP, kHeapSize, &second), -EBUSY);
    machine.destroy(dev);
}

TEST(Bo, WhatTheDriverRefusesIsSaid) {
    Machine machine(kLinux73);
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_SHARE;
    create.size = 4096;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, ENOMEM);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_SHARE, 4096, &bo), -ENOMEM);
    const std::string message = xdna_error_message();
    for (const char* part : {"xdna_bo_create", "SHARE", "4096", "CREATE_BO", "ENOMEM"}) {
        EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
}

TEST(Bo, EagainIsNotAskedForEver) {
    Machine machine(kLinux73);
    machine.expect_heap();
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_DEV;
    create.size = 4096;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, EAGAIN);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_DEV, 4096, &bo), -EAGAIN);
}

TEST(Bo, ASignalIsNoFailure) {
    Machine machine(kLinux73);
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_SHARE;
    create.size = 4096;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, EINTR);
    machine.destroy(machine.make_share(4096, 7));
}

TEST(Bo, WhatCannotBeMappedIsGivenBack) {
    Machine machine(kLinux73);
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_SHARE;
    create.size = 4096;
    amdxdna_drm_create_bo created = create;
    created.handle = 9;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, created);
    amdxdna_drm_get_bo_info info{};
    info.handle = 9;
    amdxdna_drm_get_bo_info unmappable = info;
    unmappable.map_offset = 12345;  // not of a page
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, unmappable);
    machine.expect_close(9);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_SHARE, 4096, &bo), -EINVAL);
    EXPECT_EQ(bo, nullptr);
    EXPECT_NE(std::string(xdna_error_message()).find("mmap"), std::string::npos);
}

TEST(Bo, BadArgumentsCostNoSystemCall) {
    Machine machine(kLinux73);
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_SHARE, 0, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_SHARE, ~uint64_t{0}, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_create(machine.device, static_cast<xdna_bo_type>(0), 4096, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_create(machine.device, static_cast<xdna_bo_type>(5), 4096, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_create(nullptr, XDNA_BO_SHARE, 4096, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_create(machine.device, XDNA_BO_SHARE, 4096, nullptr), -EINVAL);
    alignas(4096) static uint8_t page[4096];
    EXPECT_EQ(xdna_bo_import_user(machine.device, page + 8, 4096, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_import_user(machine.device, page, 100, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_import_user(machine.device, page, 0, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_import_user(machine.device, nullptr, 4096, &bo), -EINVAL);
    EXPECT_EQ(xdna_bo_import_dmabuf(machine.device, -1, &bo), -EBADF);
    xdna_bo_destroy(nullptr);
}

TEST(Bo, SyncStaysInsideTheBo) {
    Machine machine(kLinux73);
    xdna_bo* bo = machine.make_share(8192, 7);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_TO_DEVICE, 0, 8192), 0);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_FROM_DEVICE, 100, 1), 0);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_TO_DEVICE, 8192, 0), 0);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_TO_DEVICE, 8192, 1), -EINVAL);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_TO_DEVICE, 1, 8192), -EINVAL);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_TO_DEVICE, 4096, ~uint64_t{0}), -EINVAL);
    EXPECT_EQ(xdna_bo_sync(bo, static_cast<xdna_sync>(2), 0, 1), -EINVAL);
    EXPECT_EQ(xdna_bo_sync(nullptr, XDNA_SYNC_TO_DEVICE, 0, 1), -EINVAL);
    machine.destroy(bo);
}

/// struct amdxdna_drm_va_tbl with its one entry.
Bytes va_table(const void* memory, uint64_t size) {
    struct {
        int32_t fd;
        uint32_t entries;
        uint64_t address;
        uint64_t length;
    } table{-1, 1, reinterpret_cast<uintptr_t>(memory), size};
    return bytes_of(table);
}

TEST(Bo, UserMemoryIsItsOwnMapping) {
    alignas(4096) static uint8_t pages[8192];
    Machine machine(kLinux618);
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_SHARE;
    amdxdna_drm_create_bo created = create;
    created.handle = 7;
    machine.script.expect(
        DRM_IOCTL_AMDXDNA_CREATE_BO, create, created, 0,
        {{offsetof(amdxdna_drm_create_bo, vaddr), va_table(pages, sizeof pages), {}}});
    amdxdna_drm_get_bo_info info{};
    info.handle = 7;
    amdxdna_drm_get_bo_info answer = info;
    answer.xdna_addr = kNoAddress;
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, answer);
    xdna_bo* bo = nullptr;
    ASSERT_EQ(xdna_bo_import_user(machine.device, pages, sizeof pages, &bo), 0);
    EXPECT_EQ(xdna_bo_memory(bo), pages);
    EXPECT_EQ(xdna_bo_size(bo), sizeof pages);
    EXPECT_EQ(xdna_bo_address(bo), reinterpret_cast<uintptr_t>(pages));
    machine.destroy(bo);
    pages[0] = 1;  // still ours
}

TEST(Bo, UserMemoryIsNotForLinux614) {
    alignas(4096) static uint8_t page[4096];
    Machine machine(kLinux614);
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_SHARE;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_BO, create, EINVAL,
                          {{offsetof(amdxdna_drm_create_bo, vaddr), va_table(page, 4096), {}}});
    xdna_bo* bo = nullptr;
    EXPECT_EQ(xdna_bo_import_user(machine.device, page, 4096, &bo), -EOPNOTSUPP);
    EXPECT_NE(std::string(xdna_error_message()).find("6.18"), std::string::npos);
}

TEST(Bo, ExportIsCloseOnExecAndReadWrite) {
    Machine machine(kLinux73);
    xdna_bo* bo = machine.make_share(4096, 7);
    drm_prime_handle prime{};
    prime.handle = 7;
    prime.flags = DRM_CLOEXEC | DRM_RDWR;
    prime.fd = -1;
    drm_prime_handle exported = prime;
    exported.fd = 4711;
    machine.script.expect(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime, exported);
    int fd = -1;
    ASSERT_EQ(xdna_bo_export_dmabuf(bo, &fd), 0);
    EXPECT_EQ(fd, 4711);
    machine.script.expect(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime, EOPNOTSUPP);
    EXPECT_EQ(xdna_bo_export_dmabuf(bo, &fd), -EOPNOTSUPP);
    EXPECT_EQ(fd, -1);
    machine.destroy(bo);
}

/// A descriptor with a size, as a dma-buf is one.
class SizedFile {
  public:
    explicit SizedFile(off_t size) {
        char name[] = "/tmp/xdna-dmabuf-XXXXXX";
        fd_ = mkstemp(name);
        unlink(name);
        EXPECT_EQ(ftruncate(fd_, size), 0);
    }
    ~SizedFile() { close(fd_); }
    SizedFile(const SizedFile&) = delete;
    SizedFile& operator=(const SizedFile&) = delete;
    int fd() const { return fd_; }

  private:
    int fd_;
};

void expect_import(Machine& machine, int fd, uint32_t handle) {
    drm_prime_handle prime{};
    prime.fd = fd;
    drm_prime_handle imported = prime;
    imported.handle = handle;
    machine.script.expect(DRM_IOCTL_PRIME_FD_TO_HANDLE, prime, imported);
}

TEST(Bo, ForeignDmabufIsMapped) {
    Machine machine(kLinux73);
    const SizedFile file(8192);
    expect_import(machine, file.fd(), 8);
    amdxdna_drm_get_bo_info info{};
    info.handle = 8;
    amdxdna_drm_get_bo_info answer = info;
    answer.map_offset = 8ULL << 20;
    answer.xdna_addr = kNoAddress;
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, answer);
    answer.xdna_addr = 0xabc000;
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info, answer);
    xdna_bo* bo = nullptr;
    ASSERT_EQ(xdna_bo_import_dmabuf(machine.device, file.fd(), &bo), 0) << xdna_error_message();
    EXPECT_EQ(xdna_bo_size(bo), 8192U);
    EXPECT_EQ(xdna_bo_address(bo), 0xabc000U);
    machine.destroy(bo);
}

TEST(Bo, OwnDmabufIsTheSameBo) {
    Machine machine(kLinux73);
    xdna_bo* bo = machine.make_share(4096, 7);
    const SizedFile file(4096);
    expect_import(machine, file.fd(), 7);
    xdna_bo* again = nullptr;
    ASSERT_EQ(xdna_bo_import_dmabuf(machine.device, file.fd(), &again), 0);
    EXPECT_EQ(again, bo);
    // The handle is one: it must outlive the first of the two.
    xdna_bo_destroy(bo);
    std::memset(xdna_bo_memory(again), 1, 4096);
    machine.destroy(again);
}

TEST(Bo, DmabufOfTheHeapLeavesTheHeapAlone) {
    Machine machine(kLinux73);
    xdna_bo* dev = machine.make_dev(4096, 2, 0, true);
    const SizedFile file(static_cast<off_t>(kHeapSize));
    expect_import(machine, file.fd(), 1);
    xdna_bo* heap = nullptr;
    ASSERT_EQ(xdna_bo_import_dmabuf(machine.device, file.fd(), &heap), 0);
    EXPECT_EQ(xdna_bo_get_type(heap), XDNA_BO_DEV_HEAP);
    EXPECT_EQ(xdna_bo_memory(heap), xdna_bo_memory(dev));
    machine.destroy(heap);
    machine.destroy(dev);
}

TEST(Bo, ManyThreadsMakeAndDestroy) {
    Machine machine(kLinux73);
    // A kernel that keeps handles as a kernel does: the lowest free one, each closed once.
    std::mutex mutex;
    std::set<uint32_t> open;
    // Of these, what a dma-buf can be of: BOs that the library has handed out.
    std::set<uint32_t> exported;
    std::atomic<int> wrong{0};
    machine.script.answer_all([&](unsigned long request, void* argument) {
        const std::lock_guard lock(mutex);
        switch (request & 0xff) {
            case DRM_IOCTL_AMDXDNA_CREATE_BO & 0xff: {
                uint32_t handle = 1;
                while (open.count(handle) != 0) {
                    handle++;
                }
                open.insert(handle);
                static_cast<amdxdna_drm_create_bo*>(argument)->handle = handle;
                return 0;
            }
            case DRM_IOCTL_AMDXDNA_GET_BO_INFO & 0xff: {
                auto* info = static_cast<amdxdna_drm_get_bo_info*>(argument);
                wrong += open.count(info->handle) == 0;
                info->map_offset = uint64_t{info->handle} << 20;
                info->xdna_addr = kNoAddress;
                return 0;
            }
            case DRM_IOCTL_PRIME_FD_TO_HANDLE & 0xff: {
                auto* prime = static_cast<drm_prime_handle*>(argument);
                prime->handle = exported.empty() ? 0 : *exported.begin();
                return exported.empty() ? -EBADF : 0;
            }
            case DRM_IOCTL_GEM_CLOSE & 0xff: {
                const uint32_t handle = static_cast<drm_gem_close*>(argument)->handle;
                wrong += open.erase(handle) != 1;
                exported.erase(handle);
                return 0;
            }
            default:
                wrong++;
                return -EINVAL;
        }
    });
    const SizedFile file(4096);
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; i++) {
                xdna_bo* made = nullptr;
                xdna_bo* imported = nullptr;
                wrong += xdna_bo_create(machine.device, XDNA_BO_SHARE, 4096, &made) != 0;
                {
                    const std::lock_guard lock(mutex);
                    exported.insert(xdna_bo_handle(made));
                }
                // Another thread's BO, as a dma-buf of this device.
                if (t % 2 == 0) {
                    xdna_bo_import_dmabuf(machine.device, file.fd(), &imported);
                }
                static_cast<volatile uint8_t*>(xdna_bo_memory(made))[17] = 1;
                if (imported != nullptr) {
                    static_cast<volatile uint8_t*>(xdna_bo_memory(imported))[18] = 1;
                }
                xdna_bo_destroy(made);
                xdna_bo_destroy(imported);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(open.empty());
    machine.script.answer_all({});
}

}  // namespace
}  // namespace xdna::test
