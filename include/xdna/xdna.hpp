// SPDX-License-Identifier: MIT
//
// libxdna for C++20: owners over xdna.h, nothing more. Header only; link libxdna.
//
//  - Every failure throws xdna::Error, which carries the errno and the words of
//    xdna_error_message(). Running out of time is no failure: see Command::wait_for().
//  - Device, Bo, HwContext and Command own what they stand for, and can be moved but not copied. A
//    moved-from object may only be assigned to or destroyed.
//  - What xdna.h says of lifetimes, threads, sizes and addresses holds here, too.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "xdna/xdna.h"

namespace xdna {

/// A call of the library failed.
class Error : public std::runtime_error {
  public:
    /// @param result what the C function returned: a negative errno
    explicit Error(int result) : std::runtime_error(xdna_error_message()), code_(-result) {}

    /// The errno, positive: EINVAL, ENODEV, ...
    int code() const noexcept { return code_; }

  private:
    int code_;
};

/// Passes a C function's result on, or throws Error.
inline int check(int result) {
    if (result < 0) {
        throw Error(result);
    }
    return result;
}

namespace detail {

struct Deleter {
    void operator()(xdna_device* device) const noexcept { xdna_device_close(device); }
    void operator()(xdna_bo* bo) const noexcept { xdna_bo_destroy(bo); }
    void operator()(xdna_hwctx* hwctx) const noexcept { xdna_hwctx_destroy(hwctx); }
    void operator()(xdna_cmd* cmd) const noexcept { xdna_cmd_destroy(cmd); }
};
template <class Object>
using Owner = std::unique_ptr<Object, Deleter>;

/// Calls a query of one struct.
template <class Out, class Object>
Out get(int (*query)(Object*, Out*), Object* object) {
    Out out{};
    check(query(object, &out));
    return out;
}

/// Calls a query of a list, which returns how many there are.
template <class Element, class Query>
std::vector<Element> get_list(Query&& query) {
    std::vector<Element> list;
    for (;;) {
        const auto count = static_cast<std::size_t>(check(query(list.data(), list.size())));
        if (count <= list.size()) {
            list.resize(count);
            return list;
        }
        list.resize(count);
    }
}

}  // namespace detail

/// An opened NPU.
class Device {
  public:
    /// The NPUs of this machine, in the order of their PCI addresses.
    static std::vector<xdna_device_info> list() {
        return detail::get_list<xdna_device_info>(xdna_device_list);
    }

    /// The first NPU with a node.
    Device() : Device(nullptr) {}
    /// An NPU by index, PCI address or node: xdna_device_open().
    explicit Device(const char* which) {
        xdna_device* device = nullptr;
        check(xdna_device_open(which, &device));
        device_.reset(device);
    }
    explicit Device(const std::string& which) : Device(which.c_str()) {}
    /// On a descriptor of the node, which stays the caller's.
    static Device from_fd(int fd) {
        xdna_device* device = nullptr;
        check(xdna_device_open_fd(fd, &device));
        return Device(detail::Owner<xdna_device>(device));
    }

    xdna_device* get() const noexcept { return device_.get(); }
    /// Borrowed.
    int fd() const { return check(xdna_device_fd(get())); }
    xdna_device_info info() const { return const_get(xdna_device_get_info); }
    xdna_driver_version driver_version() const { return const_get(xdna_device_driver_version); }
    bool has(xdna_feature feature) const { return check(xdna_device_has(get(), feature)) == 1; }
    xdna_limits limits() const { return const_get(xdna_device_limits); }

    /// @param buffer at least aie_metadata().column_bytes x columns
    xdna_aie_status aie_status(std::span<std::byte> buffer) const {
        xdna_aie_status out{};
        check(xdna_query_aie_status(get(), buffer.data(), size32(buffer.size()), &out));
        return out;
    }
    xdna_aie_metadata aie_metadata() const { return detail::get(xdna_query_aie_metadata, get()); }
    xdna_aie_version aie_version() const { return detail::get(xdna_query_aie_version, get()); }
    xdna_firmware_version firmware_version() const {
        return detail::get(xdna_query_firmware_version, get());
    }
    xdna_clocks clocks() const { return detail::get(xdna_query_clocks, get()); }
    std::vector<xdna_sensor> sensors() const { return query_list<xdna_sensor>(xdna_query_sensors); }
    std::vector<xdna_hwctx_info> hwctx() const {
        return query_list<xdna_hwctx_info>(xdna_query_hwctx);
    }
    std::vector<xdna_hwctx_info> hwctx_all() const {
        return query_list<xdna_hwctx_info>(xdna_query_hwctx_all);
    }
    xdna_power_mode power_mode() const { return detail::get(xdna_query_power_mode, get()); }
    xdna_telemetry telemetry(std::uint32_t type, std::span<std::byte> buffer) const {
        xdna_telemetry out{};
        check(xdna_query_telemetry(get(), type, buffer.data(), size32(buffer.size()), &out));
        return out;
    }
    xdna_resources resources() const { return detail::get(xdna_query_resources, get()); }
    bool force_preempt() const { return detail::get(xdna_query_force_preempt, get()) != 0; }
    bool frame_boundary_preempt() const {
        return detail::get(xdna_query_frame_boundary_preempt, get()) != 0;
    }
    xdna_async_error last_async_error() const {
        return detail::get(xdna_query_last_async_error, get());
    }
    /// @param pid 0: this process
    xdna_bo_usage bo_usage(std::int64_t pid = 0) const {
        xdna_bo_usage out{};
        check(xdna_query_bo_usage(get(), pid, &out));
        return out;
    }

    void set_power_mode(xdna_power_mode mode) { check(xdna_set_power_mode(get(), mode)); }
    void set_force_preempt(bool enable) { check(xdna_set_force_preempt(get(), enable ? 1 : 0)); }
    void set_frame_boundary_preempt(bool enable) {
        check(xdna_set_frame_boundary_preempt(get(), enable ? 1 : 0));
    }

  private:
    explicit Device(detail::Owner<xdna_device> device) : device_(std::move(device)) {}

    template <class Out>
    Out const_get(int (*query)(const xdna_device*, Out*)) const {
        return detail::get(query, static_cast<const xdna_device*>(get()));
    }
    template <class Element>
    std::vector<Element> query_list(int (*query)(xdna_device*, Element*, std::uint32_t)) const {
        return detail::get_list<Element>([&](Element* list, std::size_t capacity) {
            return query(get(), list, size32(capacity));
        });
    }
    static std::uint32_t size32(std::size_t size) {
        return static_cast<std::uint32_t>(
            std::min<std::size_t>(size, std::numeric_limits<std::uint32_t>::max()));
    }

    detail::Owner<xdna_device> device_;
};

/// A buffer object.
class Bo {
  public:
    static constexpr std::uint64_t kWhole = ~std::uint64_t{0};

    Bo(const Device& device, xdna_bo_type type, std::uint64_t size) {
        xdna_bo* bo = nullptr;
        check(xdna_bo_create(device.get(), type, size, &bo));
        bo_.reset(bo);
    }
    /// Of page-aligned memory that stays the caller's and must outlive the BO.
    static Bo import_user(const Device& device, std::span<std::byte> memory) {
        xdna_bo* bo = nullptr;
        check(xdna_bo_import_user(device.get(), memory.data(), memory.size(), &bo));
        return Bo(bo);
    }
    /// Of a dma-buf, whose descriptor stays the caller's.
    static Bo import_dmabuf(const Device& device, int fd) {
        xdna_bo* bo = nullptr;
        check(xdna_bo_import_dmabuf(device.get(), fd, &bo));
        return Bo(bo);
    }
    /// A new dma-buf descriptor, for the caller to close.
    int export_dmabuf() const {
        int fd = -1;
        check(xdna_bo_export_dmabuf(get(), &fd));
        return fd;
    }

    xdna_bo* get() const noexcept { return bo_.get(); }
    void* memory() const noexcept { return xdna_bo_memory(get()); }
    std::uint64_t size() const noexcept { return xdna_bo_size(get()); }
    /// At which the NPU reaches it.
    std::uint64_t address() const noexcept { return xdna_bo_address(get()); }
    std::uint32_t handle() const noexcept { return xdna_bo_handle(get()); }
    xdna_bo_type type() const noexcept { return xdna_bo_get_type(get()); }

    /// The BO's memory as elements; bytes at its end that fill no element are left out.
    template <class Element = std::byte>
    std::span<Element> span() const {
        static_assert(std::is_trivially_copyable_v<Element>);
        return {static_cast<Element*>(memory()),
                static_cast<std::size_t>(size()) / sizeof(Element)};
    }

    /// After the CPU wrote, before the NPU reads; for outputs, too: xdna_bo_sync().
    void sync_to_device(std::uint64_t offset = 0, std::uint64_t bytes = kWhole) {
        sync(XDNA_SYNC_TO_DEVICE, offset, bytes);
    }
    /// After the NPU wrote, before the CPU reads.
    void sync_from_device(std::uint64_t offset = 0, std::uint64_t bytes = kWhole) {
        sync(XDNA_SYNC_FROM_DEVICE, offset, bytes);
    }

  private:
    explicit Bo(xdna_bo* bo) : bo_(bo) {}

    void sync(xdna_sync direction, std::uint64_t offset, std::uint64_t bytes) {
        if (bytes == kWhole && offset <= size()) {
            bytes = size() - offset;
        }
        check(xdna_bo_sync(get(), direction, offset, bytes));
    }

    detail::Owner<xdna_bo> bo_;
};

/// A hardware context: a claim on array columns with a command queue of its own.
class HwContext {
  public:
    HwContext(const Device& device, const xdna_hwctx_options& options) {
        xdna_hwctx* hwctx = nullptr;
        check(xdna_hwctx_create(device.get(), &options, &hwctx));
        hwctx_.reset(hwctx);
    }
    HwContext(const Device& device, std::uint32_t columns)
        : HwContext(device, xdna_hwctx_options{columns, 0, 0, {}}) {}

    xdna_hwctx* get() const noexcept { return hwctx_.get(); }
    std::uint32_t handle() const noexcept { return xdna_hwctx_handle(get()); }
    std::uint32_t syncobj() const noexcept { return xdna_hwctx_syncobj(get()); }

    /// Once; CU i is cus[i].
    void configure(std::span<const xdna_cu> cus) {
        check(xdna_hwctx_configure(get(), cus.data(), static_cast<std::uint32_t>(cus.size())));
    }
    /// With one CU of function 0.
    void configure(std::span<const std::byte> pdi) {
        const xdna_cu cu{pdi.data(), pdi.size(), 0};
        check(xdna_hwctx_configure(get(), &cu, 1));
    }
    void attach_debug_bo(const Bo& bo) { check(xdna_hwctx_attach_debug_bo(get(), bo.get())); }
    void detach_debug_bo(const Bo& bo) { check(xdna_hwctx_detach_debug_bo(get(), bo.get())); }

  private:
    detail::Owner<xdna_hwctx> hwctx_;
};

/// Control code in a DEV BO.
struct Code {
    const Bo& bo;
    std::uint64_t offset = 0;
    std::uint32_t size = 0;  ///< bytes

    xdna_code get() const noexcept { return {bo.get(), offset, size}; }
};

/// A command: fill it once, submit it as often as you like.
class Command {
  public:
    explicit Command(const HwContext& hwctx, std::uint64_t capacity = 0) {
        xdna_cmd* cmd = nullptr;
        check(xdna_cmd_create(hwctx.get(), capacity, &cmd));
        cmd_.reset(cmd);
    }

    xdna_cmd* get() const noexcept { return cmd_.get(); }

    /// START_CU with these register-map words.
    void set_start_cu(std::uint32_t cu, std::span<const std::uint32_t> words) {
        check(xdna_cmd_set_start_cu(get(), cu, words.data(), count(words)));
    }
    /// START_NPU with these argument words.
    void set_start_npu(std::uint32_t cu, const Code& code,
                       std::span<const std::uint32_t> args = {}) {
        const xdna_code raw = code.get();
        check(xdna_cmd_set_start_npu(get(), cu, &raw, args.data(), count(args)));
    }
    /// START_CU of a transaction kernel: control code, and the buffers that are its arguments:
    /// command.set_transaction(0, code, a, b, c).
    template <class... Bos>
    requires(std::is_same_v<Bos, Bo>&&...) void set_transaction(std::uint32_t cu, const Code& code,
                                                                const Bos&... buffers) {
        set_transaction(cu, code, std::vector<xdna_bo*>{buffers.get()...});
    }
    void set_transaction(std::uint32_t cu, const Code& code, std::span<const Bo> buffers) {
        set_transaction(cu, code, raw_of(buffers));
    }
    void set_start_npu_preempt(std::uint32_t cu, const Code& code, const Code& save,
                               const Code& restore, std::span<const std::uint32_t> args = {}) {
        const xdna_code raw[] = {code.get(), save.get(), restore.get()};
        check(xdna_cmd_set_start_npu_preempt(get(), cu, &raw[0], &raw[1], &raw[2], args.data(),
                                             count(args)));
    }
    /// CMD_CHAIN of filled commands.
    void set_chain(std::span<const Command> commands) {
        std::vector<xdna_cmd*> raw;
        raw.reserve(commands.size());
        for (const Command& command : commands) {
            raw.push_back(command.get());
        }
        check(xdna_cmd_set_chain(get(), raw.data(), static_cast<std::uint32_t>(raw.size())));
    }

    /// Binds BOs that the NPU will touch: command.bind(a, b, c).
    template <class... Bos>
    requires(sizeof...(Bos) > 0 && (std::is_same_v<Bos, Bo> && ...)) void bind(const Bos&... bos) {
        xdna_bo* const raw[] = {bos.get()...};
        check(xdna_cmd_bind(get(), raw, sizeof...(Bos)));
    }
    void bind(std::span<const Bo> bos) {
        const std::vector<xdna_bo*> raw = raw_of(bos);
        check(xdna_cmd_bind(get(), raw.data(), static_cast<std::uint32_t>(raw.size())));
    }
    void set_words(std::uint32_t first, std::span<const std::uint32_t> words) {
        check(xdna_cmd_set_words(get(), first, words.data(), count(words)));
    }

    /// One system call.
    void submit() { check(xdna_cmd_submit(get())); }
    /// Until the command has ended. Throws Error (EIO) if it did not complete.
    void wait() { check(xdna_cmd_wait(get(), -1)); }
    /// At most so long. False if the command is still running; throws as wait() does.
    template <class Rep, class Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> timeout) {
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count();
        const int result = xdna_cmd_wait(get(), std::max<std::int64_t>(ns, 0));
        return result == -ETIME ? false : check(result) == 0;
    }
    /// True if the command has ended; throws as wait() does.
    [[nodiscard]] bool poll() { return wait_for(std::chrono::nanoseconds(0)); }
    void run() {
        submit();
        wait();
    }

    xdna_cmd_result result() const {
        return detail::get(xdna_cmd_get_result, static_cast<const xdna_cmd*>(get()));
    }

  private:
    void set_transaction(std::uint32_t cu, const Code& code, const std::vector<xdna_bo*>& bos) {
        const xdna_code raw = code.get();
        check(xdna_cmd_set_transaction(get(), cu, &raw, bos.data(),
                                       static_cast<std::uint32_t>(bos.size())));
    }
    static std::vector<xdna_bo*> raw_of(std::span<const Bo> bos) {
        std::vector<xdna_bo*> raw;
        raw.reserve(bos.size());
        for (const Bo& bo : bos) {
            raw.push_back(bo.get());
        }
        return raw;
    }
    static std::uint32_t count(std::span<const std::uint32_t> words) {
        return static_cast<std::uint32_t>(words.size());
    }

    detail::Owner<xdna_cmd> cmd_;
};

}  // namespace xdna
