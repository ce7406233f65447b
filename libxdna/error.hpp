// This thread's last failure in words, and what each call's errno usually means.
#pragma once

#include <cstdint>
#include <new>

namespace xdna {

/// What libxdna asks the kernel for.
enum class Call : uint8_t {
    kOpen,
    kVersion,
    kCreateBo,
    kCreateHeap,
    kCreateDevBo,
    kCreateUserBo,
    kGetBoInfo,
    kMap,
    kPrimeImport,
    kPrimeExport,
    kSyncBo,
    kCreateHwctx,
    kConfigCu,
    kAssignDebugBo,
    kRemoveDebugBo,
    kExecCmd,
    kWait,
    kGetInfo,
    kGetArray,
    kSetState,
};

/// Records the formatted text as the thread's message. Returns `error` (a negative errno).
[[gnu::cold, gnu::format(printf, 2, 3)]] int fail(int error, const char* format, ...);

/// As fail(), for a text that lives for ever: costs a pointer store, so hot paths may fail with it.
int fail_with(int error, const char* text);

/// As fail(), and adds what the kernel answered to `call` and the likely cause.
[[gnu::cold, gnu::format(printf, 3, 4)]] int fail_call(Call call, int error, const char* format,
                                                       ...);

/// "EINVAL" of -EINVAL or EINVAL.
const char* errno_name(int error);
/// The likely cause of `error` (negative errno) from `call`; "" if the table has none.
const char* likely_cause(Call call, int error);

/// Runs a function of the C interface: memory that cannot be had becomes -ENOMEM.
template <class Function>
int guarded(const char* name, Function&& function) noexcept {
    try {
        return function();
    } catch (const std::bad_alloc&) {
        return fail(-12 /* ENOMEM */, "%s: out of memory", name);
    }
}

}  // namespace xdna
