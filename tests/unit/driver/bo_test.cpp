// BOs: sizes, types, addresses, mappings, sharing.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/driver/harness.hpp"

namespace xdna::emu::test {
namespace {

class BoTest : public DriverTest {
  protected:
    using DriverTest::DriverTest;
    uint32_t share(uint64_t size = 4096) {
        const int64_t handle = file->create(AMDXDNA_BO_SHARE, size);
        EXPECT_GT(handle, 0);
        return static_cast<uint32_t>(handle);
    }
    int export_bo(TestFile& from, uint32_t handle, uint32_t flags, UniqueFd& out) {
        drm_prime_handle args{};
        args.handle = handle;
        args.flags = flags;
        const int error = from.call(DRM_IOCTL_PRIME_HANDLE_TO_FD, args);
        out = std::move(from.caller().given);
        return error;
    }
    int64_t import_bo(TestFile& into, int fd) {
        drm_prime_handle args{};
        args.fd = fd;
        const int error = into.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, args);
        return error != 0 ? int64_t{error} : int64_t{args.handle};
    }
};

TEST_F(BoTest, BadArguments) {
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 4096, 0, 1), -EINVAL);
    EXPECT_EQ(file->create(0, 4096), -EINVAL);
    EXPECT_EQ(file->create(5, 4096), -EINVAL);
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0), -ENOSPC);
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 1ULL << 63), -EINVAL);
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 2ULL << 40), -ENOSPC);  // more than offsets there are
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, kAllOnes), -ENOSPC);    // rounds up to nothing
}

TEST_F(BoTest, HandlesAreTheLowestFree) {
    EXPECT_EQ(share(), 1U);
    EXPECT_EQ(share(), 2U);
    EXPECT_EQ(share(), 3U);
    EXPECT_EQ(file->gem_close(2), 0);
    EXPECT_EQ(file->gem_close(2), -EINVAL);
    EXPECT_EQ(file->gem_close(0), -EINVAL);
    EXPECT_EQ(share(), 2U);
    EXPECT_EQ(share(), 4U);
}

TEST_F(BoTest, MapOffsetsAreDrmFakeOffsets) {
    EXPECT_EQ(file->info(share(4096)).map_offset, 0x100000000U);
    EXPECT_EQ(file->info(share(5000)).map_offset, 0x100001000U);
    EXPECT_EQ(file->info(share(4096)).map_offset, 0x100003000U);
    file->gem_close(2);
    EXPECT_EQ(file->info(share(4096)).map_offset, 0x100001000U);  // best fit
    EXPECT_EQ(file->info(share(4096)).map_offset, 0x100002000U);
    TestFile other(*driver, caller);
    EXPECT_EQ(other.info(static_cast<uint32_t>(other.create(AMDXDNA_BO_SHARE, 4096))).map_offset,
              0x100004000U);
}

TEST_F(BoTest, InfoChecksItsReservedFields) {
    const uint32_t bo = share();
    amdxdna_drm_get_bo_info args{};
    args.handle = bo;
    args.ext = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, args), -EINVAL);
    args.ext = 0;
    args.ext_flags = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, args), -EINVAL);
    args.ext_flags = 0;
    args.pad = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, args), -EINVAL);
    args.pad = 0;
    args.handle = 77;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, args), -ENOENT);
}

TEST_F(BoTest, AddressIsTheFirstMappingWhileThereIsOne) {
    const uint32_t bo = share(8192);
    EXPECT_EQ(file->info(bo).vaddr, kAllOnes);
    EXPECT_EQ(file->info(bo).xdna_addr, kAllOnes);
    Map first;
    Map second;
    ASSERT_EQ(file->map(bo, 8192, first), 0);
    EXPECT_EQ(file->info(bo).vaddr, first.address());
    EXPECT_EQ(file->info(bo).xdna_addr, first.address());
    ASSERT_EQ(file->map(bo, 8192, second), 0);
    EXPECT_EQ(file->info(bo).xdna_addr, first.address());
    first.unmap();
    EXPECT_NE(file->info(bo).xdna_addr, kAllOnes);  // the other still stands
    second.unmap();
    EXPECT_EQ(file->info(bo).vaddr, kAllOnes);
    EXPECT_EQ(file->info(bo).xdna_addr, kAllOnes);
}

TEST_F(BoTest, LosingAPageOfAMappingLosesTheAddress) {
    const uint32_t bo = share(8192);
    Map map;
    ASSERT_EQ(file->map(bo, 8192, map), 0);
    file->file().unmapped(caller.pid(), map.address() + 4096, 4096);
    EXPECT_EQ(file->info(bo).xdna_addr, kAllOnes);
}

TEST_F(BoTest, AMovedMappingIsNotKnownToTheDriver) {
    const uint32_t bo = share(4096);
    Map map;
    ASSERT_EQ(file->map(bo, 4096, map), 0);
    file->file().unmapped(caller.pid(), map.address(), 4096);
    file->file().mapped(caller.pid(), file->info(bo).map_offset, 0x7f0000000000, 4096);
    EXPECT_EQ(file->info(bo).xdna_addr, kAllOnes);
    file->file().unmapped(caller.pid(), 0x7f0000000000, 4096);
}

TEST_F(BoTest, MappingsAreOneMemoryAndStartAsZeroes) {
    const uint32_t bo = share(4096);
    Map first;
    Map second;
    ASSERT_EQ(file->map(bo, 4096, first), 0);
    ASSERT_EQ(file->map(bo, 4096, second), 0);
    EXPECT_EQ(first.words()[17], 0U);
    first.words()[17] = 0xdeadbeef;
    EXPECT_EQ(second.words()[17], 0xdeadbeefU);
}

TEST_F(BoTest, MmapRules) {
    const uint32_t bo = share(8192);
    const uint64_t offset = file->info(bo).map_offset;
    Mapping mapping;
    File& f = file->file();
    EXPECT_EQ(f.mmap(caller, 0, 4096, 3, MAP_SHARED, mapping), -EOPNOTSUPP);
    EXPECT_EQ(f.mmap(caller, offset + 4096, 4096, 3, MAP_SHARED, mapping), -EINVAL);
    EXPECT_EQ(f.mmap(caller, offset, 12288, 3, MAP_SHARED, mapping), -EINVAL);
    EXPECT_EQ(f.mmap(caller, offset, 8192, 3, MAP_PRIVATE, mapping), -EINVAL);
    EXPECT_EQ(f.mmap(caller, offset + 0x100000, 4096, 3, MAP_SHARED, mapping), -EINVAL);
    EXPECT_EQ(f.mmap(caller, offset, 4096, 3, MAP_SHARED, mapping), 0);
    EXPECT_EQ(f.mmap(caller, offset, 4096, PROT_READ, MAP_SHARED, mapping), 0);
    TestFile other(*driver, caller);
    EXPECT_EQ(other.file().mmap(caller, offset, 4096, 3, MAP_SHARED, mapping), -EACCES);
}

TEST_F(BoTest, AMappingOutlivesItsHandle) {
    const uint32_t bo = share(4096);
    const uint64_t offset = file->info(bo).map_offset;
    Map map;
    ASSERT_EQ(file->map(bo, 4096, map), 0);
    ASSERT_EQ(file->gem_close(bo), 0);
    map.words()[0] = 1;
    EXPECT_NE(file->info(share(4096)).map_offset, offset);
    map.unmap();
    EXPECT_EQ(file->info(share(4096)).map_offset, offset);
}

TEST_F(BoTest, HeapSizes) {
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV_HEAP, 0), -EINVAL);
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV_HEAP, 4096), -EINVAL);
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize + 4096), -EINVAL);
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV_HEAP, 2 * kHeapSize), -ENOSPC);
    const int64_t heap = file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize);
    ASSERT_GT(heap, 0);
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize), -ENOSPC);
    file->gem_close(static_cast<uint32_t>(heap));
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize), -ENOSPC);  // the client keeps it
}

TEST_F(BoTest, HeapHasItsDeviceAddressBeforeItIsMapped) {
    const auto heap = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize));
    EXPECT_EQ(file->info(heap).xdna_addr, kHeapBase);
    EXPECT_EQ(file->info(heap).vaddr, kAllOnes);
    EXPECT_EQ(file->info(heap).map_offset, 0x100000000U);
}

TEST_F(BoTest, DevBosNeedAMappedHeap) {
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV, 4096), -EAGAIN);
    const auto heap = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize));
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV, 4096), -EAGAIN);
    Map map;
    ASSERT_EQ(file->map(heap, kHeapSize, map), 0);
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV, 0), -EINVAL);
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV, kHeapSize + 1), -EINVAL);
    EXPECT_GT(file->create(AMDXDNA_BO_DEV, 4096), 0);
}

TEST_F(BoTest, DevBosAreSlotsOfTheHeap) {
    const Map heap = file->heap();
    const auto a = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 1));
    const auto b = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 40000));
    const auto c = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 4096));
    EXPECT_EQ(file->info(a).xdna_addr, kHeapBase);
    EXPECT_EQ(file->info(b).xdna_addr, kHeapBase + 0x8000);
    EXPECT_EQ(file->info(c).xdna_addr, kHeapBase + 0x18000);
    EXPECT_EQ(file->info(b).vaddr, heap.address() + 0x8000);
    EXPECT_EQ(file->info(b).map_offset, kAllOnes);
    file->gem_close(a);
    EXPECT_EQ(file->info(static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 4096))).xdna_addr,
              kHeapBase);
}

TEST_F(BoTest, TheHeapHoldsTwoThousandAndFortyEightSlots) {
    const Map heap = file->heap();
    for (int i = 0; i < 2048; ++i) {
        ASSERT_GT(file->create(AMDXDNA_BO_DEV, 4096), 0) << i;
    }
    EXPECT_EQ(file->create(AMDXDNA_BO_DEV, 4096), -ENOSPC);
}

TEST_F(BoTest, SyncResults) {
    const Map heap = file->heap();
    const uint32_t bo = share(8192);
    const auto dev = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 4096));
    const auto sync = [&](uint32_t handle, uint32_t direction, uint64_t offset, uint64_t size) {
        amdxdna_drm_sync_bo args{handle, direction, offset, size};
        return file->call(DRM_IOCTL_AMDXDNA_SYNC_BO, args);
    };
    EXPECT_EQ(sync(77, 0, 0, 4096), -ENOENT);
    EXPECT_EQ(sync(bo, SYNC_DIRECT_TO_DEVICE, 0, 8192), 0);
    EXPECT_EQ(sync(bo, SYNC_DIRECT_TO_DEVICE, 0, 1 << 20), 0);  // clipped
    EXPECT_EQ(sync(bo, SYNC_DIRECT_TO_DEVICE, 4096, 0), 0);
    EXPECT_EQ(sync(bo, SYNC_DIRECT_TO_DEVICE, 8192, 1), -EINVAL);
    EXPECT_EQ(sync(bo, SYNC_DIRECT_TO_DEVICE, 4096, kAllOnes), -EINVAL);
    EXPECT_EQ(sync(bo, SYNC_DIRECT_FROM_DEVICE, 0, 8192), -EINVAL);  // not a debug BO
    EXPECT_EQ(sync(bo, 2, 0, 8192), 0);
    EXPECT_EQ(sync(dev, SYNC_DIRECT_TO_DEVICE, 0, 4096), 0);
    EXPECT_EQ(sync(dev, SYNC_DIRECT_TO_DEVICE, 1 << 20, 4096), 0);  // only the heap's end counts
    EXPECT_EQ(sync(dev, SYNC_DIRECT_FROM_DEVICE, 0, 4096), -EINVAL);
}

TEST_F(BoTest, UserPointers) {
    constexpr size_t kSize = 16384;
    auto* memory = static_cast<uint8_t*>(
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    struct {
        struct {
            int32_t dmabuf_fd;
            uint32_t num_entries;
        } table;
        amdxdna_drm_va_entry entries[2];
    } table{};
    const auto address = reinterpret_cast<uint64_t>(&table);
    table.table.num_entries = 2;
    table.entries[0] = {reinterpret_cast<uint64_t>(memory), 8192};
    table.entries[1] = {reinterpret_cast<uint64_t>(memory) + 8192, 8192};

    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, 8), -EINVAL);  // unreadable table
    caller.memlock = 0;
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -EPERM);
    caller.memlock = 8192;
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -ENOMEM);
    caller.memlock = kSize;
    const int64_t bo = file->create(AMDXDNA_BO_SHARE, 0, address);
    ASSERT_GT(bo, 0);
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -ENOMEM);  // the limit is used up
    caller.ipc_lock = true;
    const int64_t again = file->create(AMDXDNA_BO_SHARE, 0, address);
    EXPECT_GT(again, 0);
    file->gem_close(static_cast<uint32_t>(again));

    const auto handle = static_cast<uint32_t>(bo);
    EXPECT_EQ(file->info(handle).vaddr, kAllOnes);
    EXPECT_EQ(file->info(handle).xdna_addr, kAllOnes);
    Map map;
    EXPECT_EQ(file->map(handle, 4096, map), -EINVAL);
    UniqueFd fd;
    EXPECT_EQ(export_bo(*file, handle, DRM_CLOEXEC, fd), -EOPNOTSUPP);
    amdxdna_drm_sync_bo sync{handle, 0, 0, 4096};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SYNC_BO, sync), -EOPNOTSUPP);

    table.entries[1].vaddr += 1;
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -EINVAL);
    table.entries[1] = {0x1000, 8192};
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -EFAULT);
    table.entries[1] = {reinterpret_cast<uint64_t>(memory) + 8192, kAllOnes - 4095};
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -EINVAL);  // the sum overflows
    table.table.num_entries = 1;
    ASSERT_EQ(::mprotect(memory + 4096, 4096, PROT_READ), 0);
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, address), -ENOMEM);  // pinned in part

    file->gem_close(handle);
    caller.ipc_lock = false;
    ASSERT_EQ(::mprotect(memory + 4096, 4096, PROT_READ | PROT_WRITE), 0);
    table.table.num_entries = 1;
    EXPECT_GT(file->create(AMDXDNA_BO_SHARE, 0, address), 0);  // the pages were given back
    ::munmap(memory, kSize);
}

TEST_F(BoTest, ExportIsTheMemoryItself) {
    const uint32_t bo = share(8192);
    Map map;
    ASSERT_EQ(file->map(bo, 8192, map), 0);
    map.words()[3] = 42;
    UniqueFd fd;
    EXPECT_EQ(export_bo(*file, bo, 0x4, fd), -EINVAL);
    EXPECT_EQ(export_bo(*file, 77, DRM_CLOEXEC, fd), -ENOENT);
    ASSERT_EQ(export_bo(*file, bo, DRM_CLOEXEC | DRM_RDWR, fd), 0);
    EXPECT_EQ(caller.given_at, offsetof(drm_prime_handle, fd));
    EXPECT_TRUE(caller.given_cloexec);
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), 8192);
    auto* words = static_cast<uint32_t*>(
        ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    ASSERT_NE(words, MAP_FAILED);
    EXPECT_EQ(words[3], 42U);
    ::munmap(words, 8192);
    EXPECT_NE(::ftruncate(fd.get(), 0), 0);
}

TEST_F(BoTest, ExportWithoutRdwrIsReadOnly) {
    UniqueFd fd;
    ASSERT_EQ(export_bo(*file, share(), 0, fd), 0);
    EXPECT_FALSE(caller.given_cloexec);
    EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), MAP_FAILED);
}

TEST_F(BoTest, ImportFindsTheHandleThatIsThere) {
    const uint32_t bo = share();
    UniqueFd fd;
    ASSERT_EQ(export_bo(*file, bo, DRM_CLOEXEC | DRM_RDWR, fd), 0);
    EXPECT_EQ(import_bo(*file, fd.get()), bo);
    file->gem_close(bo);
    const int64_t imported = import_bo(*file, fd.get());
    ASSERT_GT(imported, 0);
    EXPECT_EQ(import_bo(*file, fd.get()), imported);
    amdxdna_drm_sync_bo sync{static_cast<uint32_t>(imported), 0, 0, 4096};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SYNC_BO, sync), -EOPNOTSUPP);
}

TEST_F(BoTest, ImportIntoAnotherFileSharesMemory) {
    const uint32_t bo = share();
    Map mine;
    ASSERT_EQ(file->map(bo, 4096, mine), 0);
    UniqueFd fd;
    ASSERT_EQ(export_bo(*file, bo, DRM_CLOEXEC | DRM_RDWR, fd), 0);
    TestFile other(*driver, caller);
    const int64_t imported = import_bo(other, fd.get());
    ASSERT_EQ(imported, 1);
    file->gem_close(bo);
    Map theirs;
    ASSERT_EQ(other.map(1, 4096, theirs), 0);
    EXPECT_EQ(other.info(1).xdna_addr, theirs.address());
    mine.words()[0] = 7;
    EXPECT_EQ(theirs.words()[0], 7U);
    UniqueFd again;
    EXPECT_EQ(export_bo(other, 1, DRM_CLOEXEC, again), 0);
    struct stat a {};
    struct stat b {};
    ::fstat(fd.get(), &a);
    ::fstat(again.get(), &b);
    EXPECT_EQ(a.st_ino, b.st_ino);
}

TEST_F(BoTest, ATableMayNameADmaBuf) {
    const uint32_t bo = share(8192);
    UniqueFd fd;
    ASSERT_EQ(export_bo(*file, bo, DRM_CLOEXEC | DRM_RDWR, fd), 0);
    struct {
        int32_t dmabuf_fd;
        uint32_t num_entries;
    } table{fd.get(), 0};
    const int64_t made = file->create(AMDXDNA_BO_SHARE, 0, reinterpret_cast<uint64_t>(&table));
    ASSERT_GT(made, 0);
    EXPECT_NE(made, bo);  // no look-up here: a second object of one memory
    UniqueFd again;
    EXPECT_EQ(export_bo(*file, static_cast<uint32_t>(made), DRM_CLOEXEC, again), -EOPNOTSUPP);
    table.dmabuf_fd = 9999;
    EXPECT_EQ(file->create(AMDXDNA_BO_SHARE, 0, reinterpret_cast<uint64_t>(&table)), -EBADF);
}

TEST_F(BoTest, ImportRefusesWhatIsNoDmaBuf) {
    EXPECT_EQ(import_bo(*file, 9999), -EBADF);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(import_bo(*file, null.get()), -EINVAL);
    const UniqueFd memory(::memfd_create("xdna-bo", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(memory.get(), 4096), 0);
    EXPECT_EQ(import_bo(*file, memory.get()), -EINVAL);  // could be cut off under the device
}

TEST_F(BoTest, DevBosAreNotExported) {
    const Map heap = file->heap();
    const auto dev = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 4096));
    UniqueFd fd;
    EXPECT_EQ(export_bo(*file, dev, DRM_CLOEXEC, fd), -EOPNOTSUPP);
}

TEST_F(BoTest, UsageCountsWhatTheProcessOpened) {
    const auto usage = [&](int64_t pid) {
        amdxdna_drm_bo_usage out{};
        out.pid = pid;
        amdxdna_drm_get_array args{};
        args.param = DRM_AMDXDNA_BO_USAGE;
        args.element_size = sizeof out;
        args.num_element = 1;
        args.buffer = reinterpret_cast<uint64_t>(&out);
        EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), 0);
        return out;
    };
    const Map heap = file->heap();
    share(8192);
    file->create(AMDXDNA_BO_CMD, 4096);
    file->create(AMDXDNA_BO_DEV, 5000);
    const auto mine = usage(::getpid());
    EXPECT_EQ(mine.total_usage, kHeapSize + 8192 + 4096);
    EXPECT_EQ(mine.internal_usage, kHeapSize + 4096);
    EXPECT_EQ(mine.heap_usage, 8192U);
    EXPECT_EQ(usage(1).total_usage, 0U);
    file->gem_close(2);
    EXPECT_EQ(usage(::getpid()).total_usage, kHeapSize + 4096);
}

TEST_F(BoTest, FlinkNamesOpenTheSameObject) {
    TestCaller root;
    root.root = true;
    TestFile a(*driver, root);
    TestFile b(*driver, root);
    const auto bo = static_cast<uint32_t>(a.create(AMDXDNA_BO_SHARE, 4096));
    drm_gem_flink flink{bo, 0};
    ASSERT_EQ(a.call(DRM_IOCTL_GEM_FLINK, flink), 0);
    EXPECT_EQ(flink.name, 1U);
    drm_gem_open open{};
    open.name = flink.name;
    ASSERT_EQ(b.call(DRM_IOCTL_GEM_OPEN, open), 0);
    EXPECT_EQ(open.size, 4096U);
    EXPECT_EQ(b.info(open.handle).map_offset, a.info(bo).map_offset);
    b.gem_close(open.handle);
    a.gem_close(bo);
    EXPECT_EQ(b.call(DRM_IOCTL_GEM_OPEN, open), -ENOENT);
}

class IovaTest : public BoTest {
  protected:
    IovaTest()
        : BoTest([] {
              Driver::Options options;
              options.force_iova = true;
              return options;
          }()) {}
};

TEST_F(IovaTest, AddressesComeFromTheTopOfTheSpace) {
    // The heap's is what an unmodified driver gave in the lab; 64 KiB above are its own buffers.
    const auto heap = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize));
    Map map;
    ASSERT_EQ(file->map(heap, kHeapSize, map), 0);
    EXPECT_EQ(file->info(heap).xdna_addr, kHeapBase);
    const uint32_t bo = share(8192);
    EXPECT_EQ(file->info(bo).xdna_addr, 0xfffff8000000U - 8192);
    EXPECT_EQ(file->info(bo).vaddr, kAllOnes);
    Map mapped;
    ASSERT_EQ(file->map(bo, 8192, mapped), 0);
    EXPECT_EQ(file->info(bo).vaddr, mapped.address());
    mapped.unmap();
    EXPECT_NE(file->info(bo).vaddr, kAllOnes);  // the driver does not look back
}

}  // namespace
}  // namespace xdna::emu::test
