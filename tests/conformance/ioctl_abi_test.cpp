// drm_ioctl(): request numbers, structure sizes, directions, bad argument pointers.
#include <sys/ioctl.h>

#include <array>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using IoctlAbi = Conformance;

constexpr const char* kDrmIoctl = "drm_ioctl.c: drm_ioctl";

/// The request `of` with another structure size or direction.
constexpr unsigned long resized(unsigned long of, size_t size) {
    return _IOC(_IOC_DIR(of), _IOC_TYPE(of), _IOC_NR(of), size);
}
constexpr unsigned long directed(unsigned long of, unsigned direction) {
    return _IOC(direction, _IOC_TYPE(of), _IOC_NR(of), _IOC_SIZE(of));
}

TEST_F(IoctlAbi, OtherTypesAreNoTty) {
    rule(kDrmIoctl, "a request whose type is not 'd' is ENOTTY");
    std::array<uint8_t, 64> bytes{};
    EXPECT_EQ(device.call(_IOWR('e', 0x40, uint64_t), bytes), fails_with(ENOTTY));
    EXPECT_EQ(device.call(FIONREAD, bytes), fails_with(ENOTTY));
}

TEST_F(IoctlAbi, UnknownDriverNumbersAreInvalid) {
    rule(kDrmIoctl, "a driver number past the table is EINVAL");
    std::array<uint8_t, 64> bytes{};
    for (unsigned number = DRM_COMMAND_BASE + DRM_AMDXDNA_GET_ARRAY + 1; number < DRM_COMMAND_END;
         number++) {
        EXPECT_EQ(device.call(_IOC(_IOC_READ | _IOC_WRITE, 'd', number, 16), bytes),
                  fails_with(EINVAL))
            << "number " << number;
    }
}

TEST_F(IoctlAbi, UnknownCoreNumbersAreInvalid) {
    rule(kDrmIoctl, "a core number without a function, or past the table, is EINVAL");
    std::array<uint8_t, 64> bytes{};
    for (unsigned number : {0x04U, 0x15U, 0x26U, 0x38U, 0xE0U, 0xFFU}) {
        EXPECT_EQ(device.call(_IOC(_IOC_READ | _IOC_WRITE, 'd', number, 16), bytes),
                  fails_with(EINVAL))
            << "number " << number;
    }
}

TEST_F(IoctlAbi, ShortStructureIsZeroFilled) {
    rule(kDrmIoctl, "a shorter structure is zero-filled in, and cut off out");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    amdxdna_drm_get_bo_info info{.handle = handle};
    info.map_offset = info.vaddr = info.xdna_addr = 0x5A5A;
    constexpr size_t kUpToPad = offsetof(amdxdna_drm_get_bo_info, map_offset);
    EXPECT_EQ(device.call(resized(DRM_IOCTL_AMDXDNA_GET_BO_INFO, kUpToPad), info), kOk);
    EXPECT_EQ(info.map_offset, 0x5A5AU) << "outside what the request covers";
    constexpr size_t kWithOffset = offsetof(amdxdna_drm_get_bo_info, vaddr);
    EXPECT_EQ(device.call(resized(DRM_IOCTL_AMDXDNA_GET_BO_INFO, kWithOffset), info), kOk);
    EXPECT_EQ(info.map_offset, device.bo_info(handle).map_offset);
    EXPECT_EQ(info.vaddr, 0x5A5AU);
}

TEST_F(IoctlAbi, ShortCreateBoHasTypeZero) {
    rule(kDrmIoctl, "fields past a shorter structure read as zero");
    amdxdna_drm_create_bo args{.size = kPage, .type = AMDXDNA_BO_SHARE};
    constexpr size_t kWithoutType = offsetof(amdxdna_drm_create_bo, type);
    EXPECT_EQ(device.call(resized(DRM_IOCTL_AMDXDNA_CREATE_BO, kWithoutType), args),
              fails_with(EINVAL));
}

TEST_F(IoctlAbi, LongStructureKeepsItsTail) {
    rule(kDrmIoctl, "a longer structure is taken whole, and its unknown tail comes back as it was");
    struct Longer {
        amdxdna_drm_get_bo_info info;
        std::array<uint64_t, 16> tail;
    } longer{.info = {.handle = device.bo(AMDXDNA_BO_SHARE, kPage)}};
    longer.tail.fill(0x1122334455667788);
    ASSERT_EQ(device.call(resized(DRM_IOCTL_AMDXDNA_GET_BO_INFO, sizeof(longer)), longer), kOk);
    EXPECT_EQ(longer.info.map_offset, device.bo_info(longer.info.handle).map_offset);
    for (uint64_t word : longer.tail) {
        EXPECT_EQ(word, 0x1122334455667788U);
    }
}

TEST_F(IoctlAbi, WriteOnlyRequestGivesNothingBack) {
    rule(kDrmIoctl, "a request without the read direction copies nothing out");
    amdxdna_drm_get_bo_info info{.handle = device.bo(AMDXDNA_BO_SHARE, kPage)};
    ASSERT_EQ(device.call(directed(DRM_IOCTL_AMDXDNA_GET_BO_INFO, _IOC_WRITE), info), kOk);
    EXPECT_EQ(info.map_offset, 0U);
}

TEST_F(IoctlAbi, ReadOnlyRequestTakesNothingIn) {
    rule(kDrmIoctl, "a request without the write direction reads as zeros");
    amdxdna_drm_get_bo_info info{.handle = device.bo(AMDXDNA_BO_SHARE, kPage)};
    EXPECT_EQ(device.call(directed(DRM_IOCTL_AMDXDNA_GET_BO_INFO, _IOC_READ), info),
              fails_with(ENOENT))
        << "handle 0";
}

TEST_F(IoctlAbi, BareNumberNeedsNoArgument) {
    rule(kDrmIoctl, "a request of no direction and size never touches the argument");
    EXPECT_EQ(device.call(_IO('d', DRM_COMMAND_BASE + DRM_AMDXDNA_GET_BO_INFO),
                          static_cast<void*>(nullptr)),
              fails_with(ENOENT));
}

TEST_F(IoctlAbi, ErrorsWriteTheStructureBack) {
    rule(kDrmIoctl, "the structure is copied out after an error, too: EFAULT replaces the error");
    Mapping page(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                 kPage);
    *static_cast<amdxdna_drm_create_bo*>(page.data()) = {.size = kPage, .type = 99};
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, page.data()), fails_with(EINVAL));
    ASSERT_EQ(mprotect(page.data(), kPage, PROT_READ), 0);
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, page.data()), fails_with(EFAULT));
}

struct Request {
    const char* name;
    unsigned long number;
};

class IoctlArgument : public Conformance, public testing::WithParamInterface<Request> {};

TEST_P(IoctlArgument, MustBeReadable) {
    rule(kDrmIoctl, "an argument that cannot be read is EFAULT, before anything else");
    XDNA_NEED(GetParam().number != DRM_IOCTL_AMDXDNA_WAIT_CMD || target().current(),
              "this driver has no WAIT_CMD");
    XDNA_NEED(GetParam().number != DRM_IOCTL_AMDXDNA_GET_ARRAY || target().minor >= 1,
              "this driver has no GET_ARRAY");
    Mapping bad = inaccessible_page();
    EXPECT_EQ(device.call(GetParam().number, bad.data()), fails_with(EFAULT));
    EXPECT_EQ(device.call(GetParam().number, static_cast<void*>(nullptr)), fails_with(EFAULT));
}

INSTANTIATE_TEST_SUITE_P(
    Every, IoctlArgument,
    testing::Values(Request{"CreateHwctx", DRM_IOCTL_AMDXDNA_CREATE_HWCTX},
                    Request{"DestroyHwctx", DRM_IOCTL_AMDXDNA_DESTROY_HWCTX},
                    Request{"ConfigHwctx", DRM_IOCTL_AMDXDNA_CONFIG_HWCTX},
                    Request{"CreateBo", DRM_IOCTL_AMDXDNA_CREATE_BO},
                    Request{"GetBoInfo", DRM_IOCTL_AMDXDNA_GET_BO_INFO},
                    Request{"SyncBo", DRM_IOCTL_AMDXDNA_SYNC_BO},
                    Request{"ExecCmd", DRM_IOCTL_AMDXDNA_EXEC_CMD},
                    Request{"GetInfo", DRM_IOCTL_AMDXDNA_GET_INFO},
                    Request{"SetState", DRM_IOCTL_AMDXDNA_SET_STATE},
                    Request{"WaitCmd", DRM_IOCTL_AMDXDNA_WAIT_CMD},
                    Request{"GetArray", DRM_IOCTL_AMDXDNA_GET_ARRAY},
                    Request{"Version", DRM_IOCTL_VERSION}, Request{"GetCap", DRM_IOCTL_GET_CAP},
                    Request{"GemClose", DRM_IOCTL_GEM_CLOSE},
                    Request{"PrimeHandleToFd", DRM_IOCTL_PRIME_HANDLE_TO_FD},
                    Request{"PrimeFdToHandle", DRM_IOCTL_PRIME_FD_TO_HANDLE},
                    Request{"SyncobjCreate", DRM_IOCTL_SYNCOBJ_CREATE},
                    Request{"SyncobjTimelineWait", DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT}),
    RowName());

TEST_F(IoctlAbi, ReadOnlyArgumentIsAFaultAfterTheFact) {
    rule(kDrmIoctl, "an argument that cannot be written back is EFAULT, the call's effect stays");
    Mapping page(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                 kPage);
    *static_cast<amdxdna_drm_create_bo*>(page.data()) = {.size = kPage, .type = AMDXDNA_BO_SHARE};
    ASSERT_EQ(mprotect(page.data(), kPage, PROT_READ), 0);
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, page.data()), fails_with(EFAULT));
    amdxdna_drm_get_bo_info info{};
    EXPECT_EQ(device.bo_info(1, info), kOk) << "the BO was made, and its handle lost";
}

TEST_F(IoctlAbi, ArgumentMayStraddleIntoABadPage) {
    rule(kDrmIoctl, "an argument that is readable only in part is EFAULT");
    Mapping pages(
        mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        2 * kPage);
    ASSERT_EQ(mprotect(pages.bytes() + kPage, kPage, PROT_NONE), 0);
    void* straddling = pages.bytes() + kPage - sizeof(amdxdna_drm_create_bo) / 2;
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, straddling), fails_with(EFAULT));
}

}  // namespace
}  // namespace xdna::conformance
