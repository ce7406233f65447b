#include "libxdna/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "xdna/xdna.h"

namespace xdna {
namespace {

struct Message {
    const char* text = "";
    char buffer[640] = {};
};
thread_local Message message;

struct CallName {
    Call call;
    const char* name;
};
constexpr CallName kNames[] = {
    {Call::kOpen, "open"},
    {Call::kVersion, "DRM_IOCTL_VERSION"},
    {Call::kCreateBo, "DRM_IOCTL_AMDXDNA_CREATE_BO"},
    {Call::kCreateHeap, "DRM_IOCTL_AMDXDNA_CREATE_BO"},
    {Call::kCreateDevBo, "DRM_IOCTL_AMDXDNA_CREATE_BO"},
    {Call::kCreateUserBo, "DRM_IOCTL_AMDXDNA_CREATE_BO"},
    {Call::kGetBoInfo, "DRM_IOCTL_AMDXDNA_GET_BO_INFO"},
    {Call::kMap, "mmap"},
    {Call::kPrimeImport, "DRM_IOCTL_PRIME_FD_TO_HANDLE"},
    {Call::kPrimeExport, "DRM_IOCTL_PRIME_HANDLE_TO_FD"},
    {Call::kSyncBo, "DRM_IOCTL_AMDXDNA_SYNC_BO"},
    {Call::kCreateHwctx, "DRM_IOCTL_AMDXDNA_CREATE_HWCTX"},
    {Call::kConfigCu, "DRM_IOCTL_AMDXDNA_CONFIG_HWCTX"},
    {Call::kAssignDebugBo, "DRM_IOCTL_AMDXDNA_CONFIG_HWCTX"},
    {Call::kRemoveDebugBo, "DRM_IOCTL_AMDXDNA_CONFIG_HWCTX"},
    {Call::kExecCmd, "DRM_IOCTL_AMDXDNA_EXEC_CMD"},
    {Call::kWait, "the wait"},
    {Call::kGetInfo, "DRM_IOCTL_AMDXDNA_GET_INFO"},
    {Call::kGetArray, "DRM_IOCTL_AMDXDNA_GET_ARRAY"},
    {Call::kSetState, "DRM_IOCTL_AMDXDNA_SET_STATE"},
};

struct Cause {
    Call call;
    int error;
    const char* cause;
};
// Sources: Linux 7.3 and 6.14, drivers/accel/amdxdna (aie2_ctx.c, aie2_solver.c, amdxdna_gem.c,
// amdxdna_ubuf.c, amdxdna_pci_drv.c), and the threads of amd/xdna-driver named beside a row.
constexpr Cause kCauses[] = {
    {Call::kOpen, EACCES,
     "this user may not open the node: join its group (usually render), then log in again; in a "
     "container, pass the node as a device"},
    {Call::kOpen, EPERM,
     "the device cgroup refuses the node: pass it to the container as a device, not as a volume"},
    {Call::kOpen, ENOENT, "no such node: the amdxdna driver is not loaded or did not bind"},
    {Call::kOpen, ENXIO,
     "the node has no driver behind it: amdxdna was unloaded or its probe failed"},
    {Call::kOpen, ENODEV,
     "the IOMMU gives the NPU no process address space (SVA): enable the IOMMU in the firmware "
     "setup and drop amd_iommu=off (xdna-driver issue 704)"},
    {Call::kOpen, EOPNOTSUPP,
     "this kernel has SVA switched off on x86 (xdna-driver issue 1028): use a kernel with the "
     "whole "
     "series"},
    {Call::kOpen, ENOSPC, "the IOMMU has no PASID left or none at all: AMD SVA needs Linux 6.10"},
    {Call::kOpen, EINVAL,
     "the driver could not bind this process's address space (SVA); the kernel log has the cause"},
    {Call::kOpen, EBUSY, "another user of this process holds the device exclusively"},
    {Call::kVersion, ENOTTY, "not a DRM device"},
    {Call::kVersion, EINVAL, "not a DRM device"},
    {Call::kCreateBo, EINVAL,
     "size 0, or a size that this kernel does not take (Linux 6.14: at "
     "most 32 KiB for a CMD BO)"},
    {Call::kCreateBo, ENOMEM, "not enough memory"},
    {Call::kCreateHeap, EINVAL,
     "the heap's size must be a multiple of 64 MiB (kernels up to 6.18: exactly 64 MiB)"},
    {Call::kCreateHeap, EBUSY, "this opening of the device has its heap already"},
    {Call::kCreateHeap, ENOSPC,
     "the heap would grow beyond what the device can have (npu1: 64 MiB)"},
    {Call::kCreateHeap, EOPNOTSUPP, "this device's heap cannot grow"},
    {Call::kCreateHeap, ENOMEM, "not enough memory"},
    {Call::kCreateDevBo, EINVAL,
     "larger than the device's heap, or (Linux up to 6.18) the heap is "
     "not there or full"},
    {Call::kCreateDevBo, EAGAIN, "the device heap is not there or not mapped"},
    {Call::kCreateDevBo, ENOSPC,
     "the device heap is full: every DEV BO takes at least 32 KiB of it"},
    {Call::kCreateUserBo, EPERM, "this process may not lock memory at all: RLIMIT_MEMLOCK is 0"},
    {Call::kCreateUserBo, ENOMEM,
     "the pages would exceed RLIMIT_MEMLOCK (ulimit -l), or are not writable and present"},
    {Call::kCreateUserBo, EINVAL, "the driver did not take this memory"},
    {Call::kCreateUserBo, EOPNOTSUPP, "user-memory BOs need Linux 6.18"},
    {Call::kGetBoInfo, ENOENT, "no BO of that handle on this device"},
    {Call::kMap, EAGAIN, "RLIMIT_MEMLOCK is too small for it (ulimit -l)"},
    {Call::kMap, ENOMEM, "not enough memory or address space"},
    {Call::kMap, EEXIST, "Linux 6.14 maps a BO only once"},
    {Call::kPrimeImport, EBADF, "not an open descriptor"},
    {Call::kPrimeImport, EINVAL, "not a dma-buf"},
    {Call::kPrimeExport, EOPNOTSUPP, "DEV and user-memory BOs cannot be exported"},
    {Call::kPrimeExport, EMFILE, "too many open files"},
    {Call::kSyncBo, EOPNOTSUPP, "the driver does not sync imported BOs"},
    {Call::kSyncBo, EINVAL, "the BO is not this context's debug buffer"},
    {Call::kCreateHwctx, EINVAL,
     "too many columns, a QoS that no clock level serves, or no context left in the firmware (npu1 "
     "has 6 for all processes: xdna-probe lists who holds them)"},
    {Call::kCreateHwctx, ENODEV,
     "no free or shareable range of columns, or the firmware has stopped answering"},
    {Call::kCreateHwctx, EBUSY, "255 contexts on this opening of the device"},
    {Call::kCreateHwctx, ENOENT, "no device heap"},
    {Call::kCreateHwctx, EAGAIN, "the device heap is not mapped"},
    {Call::kCreateHwctx, ENOSPC, "the device heap has no room for the context's command buffers"},
    {Call::kCreateHwctx, ETIME, "the firmware did not answer: reload the driver or reboot"},
    {Call::kCreateHwctx, EIO, "the NPU did not wake up: see the kernel log"},
    {Call::kCreateHwctx, EOPNOTSUPP, "this device has no kernel-managed queues"},
    {Call::kConfigCu, EINVAL, "the context is gone, or was configured before"},
    {Call::kConfigCu, E2BIG, "too many CUs for one configuration"},
    {Call::kConfigCu, ETIME,
     "the firmware did not answer: an earlier command may have hung the NPU"},
    {Call::kConfigCu, ENODEV, "the firmware has stopped answering: reload the driver or reboot"},
    {Call::kAssignDebugBo, EBUSY, "the BO is assigned to a context already"},
    {Call::kAssignDebugBo, EINVAL, "the firmware refused it, or the context is gone"},
    {Call::kRemoveDebugBo, EINVAL, "the BO is not assigned to this context"},
    {Call::kExecCmd, EINVAL, "the context or the command BO is gone"},
    {Call::kExecCmd, ENOENT, "a bound BO is gone"},
    {Call::kExecCmd, ETIME, "a bound BO's pages could not be brought back in time"},
    {Call::kExecCmd, EIO, "the NPU did not wake up: see the kernel log"},
    {Call::kExecCmd, ENODEV, "the firmware has stopped answering: reload the driver or reboot"},
    {Call::kExecCmd, EOPNOTSUPP, "this device has no kernel-managed queues"},
    {Call::kExecCmd, ENOMEM, "not enough memory in the kernel"},
    {Call::kWait, EOPNOTSUPP,
     "this kernel has neither syncobj timelines nor WAIT_CMD for this device"},
    {Call::kGetInfo, EOPNOTSUPP, "this kernel or NPU does not have it"},
    {Call::kGetInfo, ENODEV,
     "the firmware has stopped answering (reload the driver or reboot), or, asked for sensors, "
     "the platform's power driver (amd_pmf) knows of no NPU"},
    {Call::kGetInfo, ETIME, "the firmware did not answer"},
    {Call::kGetInfo, EINVAL, "the buffer is too small, or the firmware refused the query"},
    {Call::kGetArray, EOPNOTSUPP, "this kernel or NPU does not have it"},
    {Call::kGetArray, EINVAL, "this kernel does not know the query"},
    {Call::kSetState, EACCES, "it needs CAP_SYS_ADMIN: run it as root"},
    {Call::kSetState, EINVAL, "not a value that it takes; or turbo while contexts exist"},
    {Call::kSetState, EOPNOTSUPP, "this kernel or NPU does not have it"},
};

const char* call_name(Call call) {
    const auto* row = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const auto& entry) { return entry.call == call; });
    return row == std::end(kNames) ? "the driver" : row->name;
}

}  // namespace

int fail(int error, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message.buffer, sizeof message.buffer, format, arguments);
    va_end(arguments);
    message.text = message.buffer;
    return error;
}

int fail_with(int error, const char* text) {
    message.text = text;
    return error;
}

int fail_call(Call call, int error, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(message.buffer, sizeof message.buffer, format, arguments);
    va_end(arguments);
    message.text = message.buffer;
    const size_t used = std::strlen(message.buffer);
    const char* cause = likely_cause(call, error);
    std::snprintf(message.buffer + used, sizeof message.buffer - used, ": %s answered %s (%s)%s%s",
                  call_name(call), errno_name(error), strerrordesc_np(-error),
                  *cause != 0 ? ": " : "", cause);
    return error;
}

const char* errno_name(int error) {
    const char* name = strerrorname_np(error < 0 ? -error : error);
    return name != nullptr ? name : "an unknown errno";
}

const char* likely_cause(Call call, int error) {
    const auto* row = std::find_if(std::begin(kCauses), std::end(kCauses), [&](const auto& entry) {
        return entry.call == call && entry.error == -error;
    });
    return row == std::end(kCauses) ? "" : row->cause;
}

}  // namespace xdna

const char* xdna_error_message(void) {
    return xdna::message.text;
}
