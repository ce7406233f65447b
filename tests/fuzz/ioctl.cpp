// The requests that xdna-emu accepts from its clients: packets of any bytes and sizes, ioctl
// numbers, arguments and nested pointers, given to the server's packet handler with the real driver
// behind.
//
// The input is a script. Each step is a byte that says what to do and the bytes for it; the
// client's memory is an arena that the input fills, at an address where pointers of small numbers
// lead.
#include <drm/amdxdna_accel.h>
#include <drm/drm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/server_files.hpp"
#include "emu/uapi/server_session.hpp"
#include "emu/uapi/wire.hpp"

namespace {

using namespace xdna::emu;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kArena = 0x10000;
constexpr size_t kArenaSize = 4096;

/// A client whose memory is the arena and nothing else.
class FuzzCaller : public Caller {
  public:
    std::array<std::byte, kArenaSize> memory{};
    bool root = false;

    pid_t pid() const override { return INT_MAX; }  // no process: nobody's memory is reached
    bool capable_sys_admin() const override { return root; }
    bool capable_ipc_lock() const override { return root; }
    uint64_t memlock_limit() const override { return 1 << 20; }
    int copy_in(void* to, uint64_t from, size_t size) override {
        if (!inside(from, size))
            return -EFAULT;
        if (size != 0)
            std::memcpy(to, memory.data() + (from - kArena), size);
        return 0;
    }
    int copy_out(uint64_t to, const void* from, size_t size) override {
        if (!inside(to, size))
            return -EFAULT;
        if (size != 0)
            std::memcpy(memory.data() + (to - kArena), from, size);
        return 0;
    }
    UniqueFd take_fd(int fd) override {
        if (given.empty())
            return {};
        return UniqueFd(::dup(given[static_cast<unsigned>(fd) % given.size()].get()));
    }
    void give_fd(UniqueFd fd, size_t, bool) override {
        if (given.size() < 8)
            given.push_back(std::move(fd));
    }
    bool interrupted() const override { return true; }  // nothing blocks
    void on_interrupt(std::function<void()> wake) override {
        if (wake)
            wake();
    }

    std::vector<UniqueFd> given;

  private:
    static bool inside(uint64_t address, size_t size) {
        return address >= kArena && size <= kArenaSize && address - kArena <= kArenaSize - size;
    }
};

constexpr unsigned long kRequests[] = {
    DRM_IOCTL_VERSION,
    DRM_IOCTL_GET_CAP,
    DRM_IOCTL_GEM_CLOSE,
    DRM_IOCTL_PRIME_HANDLE_TO_FD,
    DRM_IOCTL_PRIME_FD_TO_HANDLE,
    DRM_IOCTL_SYNCOBJ_CREATE,
    DRM_IOCTL_SYNCOBJ_DESTROY,
    DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD,
    DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE,
    DRM_IOCTL_SYNCOBJ_WAIT,
    DRM_IOCTL_SYNCOBJ_RESET,
    DRM_IOCTL_SYNCOBJ_SIGNAL,
    DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT,
    DRM_IOCTL_SYNCOBJ_QUERY,
    DRM_IOCTL_SYNCOBJ_TRANSFER,
    DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL,
    DRM_IOCTL_AMDXDNA_CREATE_HWCTX,
    DRM_IOCTL_AMDXDNA_DESTROY_HWCTX,
    DRM_IOCTL_AMDXDNA_CONFIG_HWCTX,
    DRM_IOCTL_AMDXDNA_CREATE_BO,
    DRM_IOCTL_AMDXDNA_GET_BO_INFO,
    DRM_IOCTL_AMDXDNA_SYNC_BO,
    DRM_IOCTL_AMDXDNA_EXEC_CMD,
    DRM_IOCTL_AMDXDNA_GET_INFO,
    DRM_IOCTL_AMDXDNA_SET_STATE,
    DRM_IOCTL_AMDXDNA_WAIT_CMD,
    DRM_IOCTL_AMDXDNA_GET_ARRAY,
};

/// The input, taken piece by piece; zeros once it is used up.
class Input {
  public:
    Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
    bool empty() const { return size_ == 0; }
    void take(void* to, size_t size) {
        const size_t count = size < size_ ? size : size_;
        std::memset(to, 0, size);
        if (count != 0)
            std::memcpy(to, data_, count);
        data_ += count;
        size_ -= count;
    }
    template <typename T>
    T take() {
        T value;
        take(&value, sizeof value);
        return value;
    }

  private:
    const uint8_t* data_;
    size_t size_;
};

/// Everything that a run needs, made anew for each input so that a finding replays.
struct World {
    wire::Address address = wire::server_address("00000000000000000000000000000000");
    uint64_t secret[2] = {1, 2};
    std::unique_ptr<Driver> driver = Driver::create({});
    Files files{*driver, address};
    Session session{files, secret};
    FuzzCaller caller;
    std::vector<UniqueFd> clients;  ///< the ends of open device files
    std::vector<uint64_t> ids;

    Session::Outcome handle(const wire::Request& request) {
        std::array<std::byte, sizeof request> bytes;
        std::memcpy(bytes.data(), &request, sizeof request);
        return session.handle(bytes, caller);
    }
    void open() {
        wire::Request request{wire::Op::kOpen, 0, 0, {2, 0, 0, 0}};
        auto outcome = handle(request);
        wire::Address name{};
        name.size = sizeof name.sun;
        uint64_t id = 0;
        if (!outcome.fd ||
            ::getsockname(outcome.fd.get(), reinterpret_cast<sockaddr*>(&name.sun), &name.size) !=
                0 ||
            !wire::parse_file(address, name, id))
            return;
        clients.push_back(std::move(outcome.fd));
        ids.push_back(id);
    }
    uint64_t file(uint8_t which) const { return ids.empty() ? which : ids[which % ids.size()]; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    World world;
    Input input(data, size);
    enum Step : uint8_t {
        kPacket,
        kOpen,
        kClose,
        kMemory,
        kIoctl,
        kMmap,
        kMapped,
        kUnmapped,
        kSteps
    };

    // Most inputs are of a client that was let in; some try without.
    world.caller.root = (input.take<uint8_t>() & 1) != 0;
    world.handle({wire::Op::kHello, 0, 0, {1, 2, 0, 0}});
    world.open();
    for (int steps = 0; !input.empty() && steps < 64; ++steps) {
        const auto step = static_cast<Step>(input.take<uint8_t>() % kSteps);
        const uint64_t file = world.file(input.take<uint8_t>());
        switch (step) {
            case kPacket: {
                std::array<std::byte, 2 * sizeof(wire::Request)> packet;
                const size_t length = input.take<uint8_t>() % packet.size();
                input.take(packet.data(), length);
                world.session.handle({packet.data(), length}, world.caller);
                break;
            }
            case kOpen:
                if (world.clients.size() < 4)
                    world.open();
                break;
            case kClose:
                if (!world.clients.empty())
                    world.clients.pop_back();
                break;
            case kMemory: {
                const size_t at = input.take<uint16_t>() % kArenaSize;
                const size_t length = input.take<uint8_t>();
                input.take(world.caller.memory.data() + at, std::min(length, kArenaSize - at));
                break;
            }
            case kIoctl: {
                unsigned long request = kRequests[input.take<uint8_t>() % std::size(kRequests)];
                const uint8_t twist = input.take<uint8_t>();
                if (twist == 255)  // another size, direction or number
                    request ^= input.take<uint32_t>();
                world.handle({wire::Op::kIoctl,
                              0,
                              file,
                              {request, kArena + 8 * static_cast<uint64_t>(twist), 0, 0}});
                break;
            }
            case kMmap:
                world.handle({wire::Op::kMmap,
                              0,
                              file,
                              {input.take<uint64_t>(), input.take<uint32_t>(),
                               input.take<uint8_t>(), input.take<uint8_t>()}});
                break;
            case kMapped:
                world.handle(
                    {wire::Op::kMapped,
                     0,
                     file,
                     {input.take<uint64_t>(), input.take<uint64_t>(), input.take<uint64_t>(), 0}});
                break;
            case kUnmapped:
                world.handle({wire::Op::kUnmapped,
                              0,
                              file,
                              {input.take<uint64_t>(), input.take<uint64_t>(), 0, 0}});
                break;
            default:
                break;
        }
    }
    return 0;
}
