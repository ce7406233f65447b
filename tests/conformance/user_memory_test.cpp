// CREATE_BO with an address table: a SHARE BO of the caller's pages, or of a dma-buf.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kUbuf = "amdxdna_ubuf.c: amdxdna_get_ubuf";
constexpr const char* kTable = "amdxdna_gem.c: amdxdna_gem_create_ubuf_object";

class UserMemory : public Conformance {
  protected:
    void SetUp() override {
        Conformance::SetUp();
        XDNA_NEED_CURRENT();
        XDNA_NEED(!target().carve_out,
                  "a carve-out needs contiguous memory, which this may not be");
        memory = anonymous(kPages * kPage);
        ASSERT_TRUE(memory);
    }

    static constexpr uint64_t kPages = 8;

    static Mapping anonymous(uint64_t size) {
        return {mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                size};
    }

    Status table_of_fd(int fd, uint32_t& handle) const {
        amdxdna_drm_va_tbl table{.dmabuf_fd = fd, .num_entries = 0};
        amdxdna_drm_create_bo args{.vaddr = reinterpret_cast<uint64_t>(&table),
                                   .type = AMDXDNA_BO_SHARE};
        Status status = device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, args);
        handle = status.is_ok() ? args.handle : 0;
        return status;
    }

    Mapping memory;
};

TEST_F(UserMemory, BecomesABo) {
    rule(kUbuf, "page-aligned memory of the caller is pinned and becomes a SHARE BO");
    uint32_t handle = 0;
    ASSERT_EQ(device.import_user({{memory.address(), memory.size()}}, handle), kOk);
    EXPECT_NE(handle, 0U);
    memory.words()[0] = 1;
    EXPECT_EQ(device.gem_close(handle), kOk);
    EXPECT_EQ(memory.words()[0], 1U) << "the memory stays the caller's";
}

TEST_F(UserMemory, SizeFieldIsIgnored) {
    rule(kTable, "the table gives the size, args.size is not read");
    amdxdna_drm_va_tbl head{.dmabuf_fd = -1, .num_entries = 1};
    std::array<uint64_t, 3> table{0, memory.address(), memory.size()};
    memcpy(table.data(), &head, sizeof(head));
    amdxdna_drm_create_bo args{
        .vaddr = reinterpret_cast<uint64_t>(table.data()), .size = 12345, .type = AMDXDNA_BO_SHARE};
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, args), kOk);
}

TEST_F(UserMemory, MayBeInPieces) {
    rule(kUbuf, "several entries make one BO");
    uint32_t handle = 0;
    EXPECT_EQ(device.import_user({{memory.address(), kPage},
                                  {memory.address() + 3 * kPage, 2 * kPage},
                                  {memory.address() + 6 * kPage, kPage}},
                                 handle),
              kOk);
}

TEST_F(UserMemory, HasNoAddressInSva) {
    rule("amdxdna_gem.c: amdxdna_drm_get_bo_info_ioctl", "user memory reports no address in SVA");
    XDNA_NEED(target().sva(), "IOVA mode gives it one");
    uint32_t handle = 0;
    ASSERT_EQ(device.import_user({{memory.address(), memory.size()}}, handle), kOk);
    EXPECT_EQ(device.bo_info(handle).xdna_addr, kInvalidAddress);
    EXPECT_EQ(device.bo_info(handle).vaddr, kInvalidAddress);
}

TEST_F(UserMemory, CannotBeMapped) {
    rule("amdxdna_gem.c: amdxdna_insert_pages", "mmap of user memory's BO is EINVAL");
    uint32_t handle = 0;
    ASSERT_EQ(device.import_user({{memory.address(), memory.size()}}, handle), kOk);
    Mapping mapping;
    EXPECT_EQ(device.map(device.bo_info(handle).map_offset, memory.size(), PROT_READ | PROT_WRITE,
                         MAP_SHARED, mapping),
              fails_with(EINVAL));
}

TEST_F(UserMemory, CannotBeExported) {
    rule("amdxdna_gem.c: amdxdna_gem_prime_export", "user memory is private: EOPNOTSUPP");
    uint32_t handle = 0;
    ASSERT_EQ(device.import_user({{memory.address(), memory.size()}}, handle), kOk);
    int fd = -1;
    EXPECT_EQ(device.export_fd(handle, DRM_CLOEXEC, fd), fails_with(EOPNOTSUPP));
}

TEST_F(UserMemory, MustBePageAligned) {
    rule(kUbuf, "an address or length that is not of whole pages is EINVAL");
    uint32_t handle = 0;
    EXPECT_EQ(device.import_user({{memory.address() + 64, kPage}}, handle), fails_with(EINVAL));
    EXPECT_EQ(device.import_user({{memory.address(), kPage + 1}}, handle), fails_with(EINVAL));
    EXPECT_EQ(device.import_user({{memory.address(), kPage}, {memory.address(), 100}}, handle),
              fails_with(EINVAL));
}

TEST_F(UserMemory, LengthsMustNotWrap) {
    rule(kUbuf, "a sum of lengths beyond 64 bits is EINVAL");
    uint32_t handle = 0;
    EXPECT_EQ(
        device.import_user(
            {{memory.address(), ~uint64_t{0} - kPage + 1}, {memory.address(), 2 * kPage}}, handle),
        fails_with(EINVAL));
}

TEST_F(UserMemory, TableMustBeReadable) {
    rule(kTable, "an unreadable table, or entries, are EINVAL");
    Mapping bad = inaccessible_page();
    amdxdna_drm_create_bo args{.vaddr = bad.address(), .type = AMDXDNA_BO_SHARE};
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, args), fails_with(EINVAL));
    // The table's head is the last thing before a hole.
    Mapping pages = anonymous(2 * kPage);
    ASSERT_EQ(mprotect(pages.bytes() + kPage, kPage, PROT_NONE), 0);
    auto* head = pages.bytes() + kPage - sizeof(amdxdna_drm_va_tbl);
    amdxdna_drm_va_tbl table{.dmabuf_fd = -1, .num_entries = 1};
    memcpy(head, &table, sizeof(table));
    args.vaddr = reinterpret_cast<uint64_t>(head);
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, args), fails_with(EINVAL));
}

TEST_F(UserMemory, MustBeMapped) {
    rule(kUbuf, "nothing mapped is EFAULT; mapped in part, ENOMEM");
    Mapping pages = anonymous(4 * kPage);
    const uint64_t address = pages.address();
    ASSERT_EQ(munmap(pages.bytes() + 2 * kPage, 2 * kPage), 0);
    uint32_t handle = 0;
    EXPECT_EQ(device.import_user({{address + 2 * kPage, kPage}}, handle), fails_with(EFAULT));
    EXPECT_EQ(device.import_user({{address, 3 * kPage}}, handle), fails_with(ENOMEM));
    ASSERT_EQ(munmap(pages.release(), 2 * kPage), 0);
}

TEST_F(UserMemory, MustBeWritable) {
    rule(kUbuf, "pages are pinned for writing: read-only memory is EFAULT");
    Mapping page = read_only_page();
    uint32_t handle = 0;
    EXPECT_EQ(device.import_user({{page.address(), kPage}}, handle), fails_with(EFAULT));
}

TEST_F(UserMemory, CountsAgainstMemlock) {
    rule(kUbuf, "without CAP_IPC_LOCK, more pages than RLIMIT_MEMLOCK are ENOMEM");
    XDNA_NEED(geteuid() == 0, "needs root, to stop being it");
    EXPECT_EQ(
        in_child([&] {
            rlimit limit{.rlim_cur = 4 * kPage, .rlim_max = 4 * kPage};
            XDNA_CHILD_CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
            XDNA_CHILD_CHECK(become_nobody());
            uint32_t handle = 0;
            XDNA_CHILD_CHECK(device.import_user({{memory.address(), 5 * kPage}}, handle) ==
                             fails_with(ENOMEM));
            XDNA_CHILD_CHECK(device.import_user({{memory.address(), 3 * kPage}}, handle) == kOk);
            uint32_t second = 0;
            XDNA_CHILD_CHECK(device.import_user({{memory.address(), 2 * kPage}}, second) ==
                             fails_with(ENOMEM));
            XDNA_CHILD_CHECK(device.gem_close(handle) == kOk);
            XDNA_CHILD_CHECK(eventually([&] {
                return device.import_user({{memory.address(), 4 * kPage}}, second) == kOk;
            }));
            return 0;
        }),
        0);
}

TEST_F(UserMemory, NeedsSomeMemlock) {
    rule(kUbuf, "no CAP_IPC_LOCK and a memlock limit of 0: EPERM");
    XDNA_NEED(geteuid() == 0, "needs root, to stop being it");
    EXPECT_EQ(in_child([&] {
                  rlimit limit{.rlim_cur = 0, .rlim_max = 0};
                  XDNA_CHILD_CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
                  XDNA_CHILD_CHECK(become_nobody());
                  uint32_t handle = 0;
                  XDNA_CHILD_CHECK(device.import_user({{memory.address(), kPage}}, handle) ==
                                   fails_with(EPERM));
                  return 0;
              }),
              0);
}

TEST_F(UserMemory, TableMayNameADmaBuf) {
    rule(kTable, "a table of no entries imports its dma-buf, as a BO that is not exported again");
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    int fd = -1;
    ASSERT_EQ(device.export_fd(share, DRM_CLOEXEC | DRM_RDWR, fd), kOk);
    RawDevice dma_buf(fd);
    uint32_t handle = 0;
    Status status = table_of_fd(fd, handle);
    XDNA_NEED(!target().iova() || status != fails_with(EOPNOTSUPP),
              "no pages behind a dma-buf here");
    ASSERT_EQ(status, kOk);
    EXPECT_NE(handle, share) << "a new BO, unlike PRIME import";
    int again = -1;
    EXPECT_EQ(device.export_fd(handle, DRM_CLOEXEC, again), fails_with(EOPNOTSUPP));
    RawDevice should_be_none(again);
    Mapping one = device.map_bo(share, kPage);
    Mapping two = device.map_bo(handle, kPage);
    ASSERT_TRUE(one && two);
    one.words()[5] = 77;
    EXPECT_EQ(two.words()[5], 77U);
}

TEST_F(UserMemory, DmaBufMustBeOne) {
    rule(kTable, "a table's descriptor that is no dma-buf is EINVAL, a closed one EBADF");
    uint32_t handle = 0;
    EXPECT_EQ(table_of_fd(-1, handle), fails_with(EBADF));
    RawDevice null(open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(table_of_fd(null.fd(), handle), fails_with(EINVAL));
    EXPECT_EQ(table_of_fd(device.fd(), handle), fails_with(EINVAL));
}

}  // namespace
}  // namespace xdna::conformance
