// PRIME: BOs as dma-bufs, out and in.
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kExport = "drm_prime.c: drm_gem_prime_handle_to_dmabuf";
constexpr const char* kImport = "drm_prime.c: drm_gem_prime_fd_to_handle";

class Prime : public Conformance {
  protected:
    void SetUp() override {
        Conformance::SetUp();
        bo = device.bo(AMDXDNA_BO_SHARE, kSize);
    }

    RawDevice exported(uint32_t flags = DRM_CLOEXEC | DRM_RDWR) const {
        int fd = -1;
        EXPECT_EQ(device.export_fd(bo, flags, fd), kOk);
        return RawDevice(fd);
    }

    static constexpr uint64_t kSize = 4 * kPage;
    uint32_t bo = 0;
};

/// Imports where this target can (an IOVA needs the pages behind the dma-buf).
#define XDNA_IMPORT(into, fd, handle)                                                            \
    do {                                                                                         \
        Status imported = (into).import_fd(fd, handle);                                          \
        XDNA_NEED(!target().iova() || imported != fails_with(EOPNOTSUPP), "no pages behind it"); \
        ASSERT_EQ(imported, kOk);                                                                \
    } while (false)

TEST_F(Prime, ExportsAFile) {
    rule("drm_prime.c: drm_gem_prime_handle_to_fd",
         "export gives a new descriptor of the BO's size");
    RawDevice dma_buf = exported();
    ASSERT_TRUE(dma_buf);
    EXPECT_EQ(lseek(dma_buf.fd(), 0, SEEK_END), static_cast<off_t>(kSize));
}

TEST_F(Prime, FlagsAreChecked) {
    rule("drm_prime.c: drm_prime_handle_to_fd_ioctl", "flags but CLOEXEC and RDWR are EINVAL");
    int fd = -1;
    EXPECT_EQ(device.export_fd(bo, 0x4, fd), fails_with(EINVAL));
    EXPECT_EQ(device.export_fd(bo, O_NONBLOCK | DRM_CLOEXEC, fd), fails_with(EINVAL));
}

TEST_F(Prime, CloseOnExecIsAsAsked) {
    rule("drm_prime.c: drm_gem_prime_handle_to_fd",
         "CLOEXEC is the descriptor's, and only if asked");
    RawDevice with = exported(DRM_CLOEXEC);
    RawDevice without = exported(0);
    EXPECT_EQ(fcntl(with.fd(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(without.fd(), F_GETFD), 0);
}

TEST_F(Prime, HandleMustExist) {
    rule(kExport, "exporting an unknown handle is ENOENT");
    int fd = -1;
    EXPECT_EQ(device.export_fd(4242, DRM_CLOEXEC, fd), fails_with(ENOENT));
    EXPECT_EQ(device.export_fd(0, DRM_CLOEXEC, fd), fails_with(ENOENT));
}

TEST_F(Prime, FailedExportTakesNoDescriptor) {
    rule("drm_prime.c: drm_gem_prime_handle_to_fd", "the number is given back after an error");
    const size_t before = open_descriptors();
    int fd = -1;
    EXPECT_EQ(device.export_fd(4242, DRM_CLOEXEC, fd), fails_with(ENOENT));
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Prime, ExportsOfOneBoAreOneDmaBuf) {
    rule(kExport, "exporting twice gives two descriptors of one dma-buf");
    RawDevice first = exported();
    RawDevice second = exported();
    ASSERT_NE(first.fd(), second.fd());
    struct stat one {};
    struct stat two {};
    ASSERT_EQ(fstat(first.fd(), &one), 0);
    ASSERT_EQ(fstat(second.fd(), &two), 0);
    EXPECT_EQ(one.st_ino, two.st_ino);
}

TEST_F(Prime, DmaBufMaps) {
    rule("amdxdna_gem.c: amdxdna_gem_dmabuf_mmap", "mmap of the dma-buf is the BO's memory");
    RawDevice dma_buf = exported();
    Mapping direct = device.map_bo(bo, kSize);
    Mapping through;
    ASSERT_EQ(dma_buf.map(0, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, through), kOk);
    direct.words()[9] = 99;
    EXPECT_EQ(through.words()[9], 99U);
    Mapping too_long;
    EXPECT_EQ(dma_buf.map(0, kSize + kPage, PROT_READ, MAP_SHARED, too_long), fails_with(EINVAL));
}

TEST_F(Prime, DmaBufIsReadOnlyUnlessAsked) {
    rule("amdxdna_gem.c: amdxdna_gem_prime_export",
         "without DRM_RDWR the dma-buf is not mapped writable");
    XDNA_NEED(!target().carve_out, "a carve-out's BO has its dma-buf already, and it is writable");
    RawDevice dma_buf = exported(DRM_CLOEXEC);
    Mapping mapping;
    EXPECT_EQ(dma_buf.map(0, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, mapping),
              fails_with(EACCES));
    EXPECT_EQ(dma_buf.map(0, kSize, PROT_READ, MAP_SHARED, mapping), kOk);
}

TEST_F(Prime, DmaBufSyncs) {
    rule("dma-buf.c: dma_buf_ioctl",
         "DMA_BUF_IOCTL_SYNC brackets CPU access; bad flags are EINVAL");
    RawDevice dma_buf = exported();
    EXPECT_EQ(dma_buf.call(DMA_BUF_IOCTL_SYNC,
                           dma_buf_sync{.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW}),
              kOk);
    EXPECT_EQ(
        dma_buf.call(DMA_BUF_IOCTL_SYNC, dma_buf_sync{.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW}),
        kOk);
    EXPECT_EQ(dma_buf.call(DMA_BUF_IOCTL_SYNC, dma_buf_sync{.flags = 0xFF0}), fails_with(EINVAL));
}

TEST_F(Prime, DmaBufIsNoNode) {
    rule("dma-buf.c: dma_buf_ioctl", "a dma-buf answers no DRM ioctl: ENOTTY");
    RawDevice dma_buf = exported();
    drm_version version{};
    EXPECT_EQ(dma_buf.call(DRM_IOCTL_VERSION, version), fails_with(ENOTTY));
}

TEST_F(Prime, ImportIntoItsFileIsTheSameHandle) {
    rule(kImport, "importing a file's own BO gives its handle");
    RawDevice dma_buf = exported();
    uint32_t handle = 0;
    ASSERT_EQ(device.import_fd(dma_buf.fd(), handle), kOk);
    EXPECT_EQ(handle, bo);
    ASSERT_EQ(device.gem_close(handle), kOk);
    EXPECT_EQ(device.gem_close(handle), fails_with(EINVAL)) << "import took no second reference";
}

TEST_F(Prime, ImportIntoAnotherFileIsANewBo) {
    rule("amdxdna_gem.c: amdxdna_gem_prime_import",
         "another file gets a SHARE BO of the same memory");
    RawDevice dma_buf = exported();
    RawDevice other = RawDevice::open();
    uint32_t handle = 0;
    XDNA_IMPORT(other, dma_buf.fd(), handle);
    Mapping mine = device.map_bo(bo, kSize);
    Mapping theirs = other.map_bo(handle, kSize);
    ASSERT_TRUE(mine && theirs);
    mine.words()[0] = 10;
    EXPECT_EQ(theirs.words()[0], 10U);
    theirs.words()[1] = 11;
    EXPECT_EQ(mine.words()[1], 11U);
}

TEST_F(Prime, ImportTwiceIsOneHandle) {
    rule(kImport, "a file that imports a dma-buf twice gets one handle");
    RawDevice dma_buf = exported();
    RawDevice other = RawDevice::open();
    uint32_t first = 0;
    XDNA_IMPORT(other, dma_buf.fd(), first);
    uint32_t second = 0;
    XDNA_IMPORT(other, dma_buf.fd(), second);
    EXPECT_EQ(second, first);
}

TEST_F(Prime, ImportOutlivesTheExporter) {
    rule(kExport, "an import keeps the memory after the exporter's handle, file and descriptor");
    RawDevice dma_buf = exported();
    RawDevice other = RawDevice::open();
    uint32_t handle = 0;
    XDNA_IMPORT(other, dma_buf.fd(), handle);
    {
        Mapping mine = device.map_bo(bo, kSize);
        mine.words()[2] = 22;
    }
    dma_buf.close();
    device.gem_close(bo);
    device.close();
    Mapping theirs = other.map_bo(handle, kSize);
    ASSERT_TRUE(theirs);
    EXPECT_EQ(theirs.words()[2], 22U);
}

TEST_F(Prime, DmaBufOutlivesTheHandle) {
    rule(kExport, "after GEM_CLOSE the dma-buf still has the memory, and imports as a new BO");
    RawDevice dma_buf = exported();
    {
        Mapping mine = device.map_bo(bo, kSize);
        mine.words()[3] = 33;
    }
    ASSERT_EQ(device.gem_close(bo), kOk);
    uint32_t handle = 0;
    XDNA_IMPORT(device, dma_buf.fd(), handle);
    Mapping mapping = device.map_bo(handle, kSize);
    ASSERT_TRUE(mapping);
    EXPECT_EQ(mapping.words()[3], 33U);
}

TEST_F(Prime, ReexportIsTheSameDmaBuf) {
    rule(kExport, "exporting an import gives the dma-buf it came from");
    RawDevice dma_buf = exported();
    RawDevice other = RawDevice::open();
    uint32_t handle = 0;
    XDNA_IMPORT(other, dma_buf.fd(), handle);
    int fd = -1;
    ASSERT_EQ(other.export_fd(handle, DRM_CLOEXEC, fd), kOk);
    RawDevice again(fd);
    struct stat one {};
    struct stat two {};
    ASSERT_EQ(fstat(dma_buf.fd(), &one), 0);
    ASSERT_EQ(fstat(again.fd(), &two), 0);
    EXPECT_EQ(one.st_ino, two.st_ino);
}

TEST_F(Prime, ImportNeedsADmaBuf) {
    rule(kImport, "a closed descriptor is EBADF, another file EINVAL");
    uint32_t handle = 0;
    EXPECT_EQ(device.import_fd(-1, handle), fails_with(EBADF));
    EXPECT_EQ(device.import_fd(9999, handle), fails_with(EBADF));
    RawDevice null(open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(device.import_fd(null.fd(), handle), fails_with(EINVAL));
    EXPECT_EQ(device.import_fd(device.fd(), handle), fails_with(EINVAL));
}

TEST_F(Prime, CrossesProcesses) {
    rule(kImport, "a child imports an inherited dma-buf into a file of its own");
    RawDevice dma_buf = exported();
    Mapping mine = device.map_bo(bo, kSize);
    ASSERT_TRUE(mine);
    int result = in_child([&] {
        RawDevice own = RawDevice::open();
        uint32_t handle = 0;
        Status imported = own.import_fd(dma_buf.fd(), handle);
        constexpr int kNoPages = 77;
        if (target().iova() && imported == fails_with(EOPNOTSUPP)) {
            return kNoPages;
        }
        XDNA_CHILD_CHECK(imported == kOk);
        Mapping theirs = own.map_bo(handle, kSize);
        XDNA_CHILD_CHECK(static_cast<bool>(theirs));
        theirs.words()[4] = 44;
        return 0;
    });
    XDNA_NEED(result != 77, "no pages behind a dma-buf here");
    EXPECT_EQ(result, 0);
    EXPECT_EQ(mine.words()[4], 44U);
}

TEST_F(Prime, CommandBosExport) {
    rule("amdxdna_gem.c: amdxdna_gem_prime_export", "a CMD BO is a SHARE BO here, too");
    int fd = -1;
    ASSERT_EQ(device.export_fd(device.bo(AMDXDNA_BO_CMD, kPage), DRM_CLOEXEC, fd), kOk);
    RawDevice dma_buf(fd);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), static_cast<off_t>(kPage));
}

using PrimeHeap = HeapConformance;

TEST_F(PrimeHeap, DevBosDoNotExport) {
    rule("amdxdna_gem.c: amdxdna_gem_dev_obj_export", "a DEV BO has no dma-buf: EOPNOTSUPP");
    int fd = -1;
    EXPECT_EQ(device.export_fd(dev_bo(kPage).handle, DRM_CLOEXEC, fd), fails_with(EOPNOTSUPP));
}

}  // namespace
}  // namespace xdna::conformance
