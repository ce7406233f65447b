// A kernel that follows a script: an ordered list of ioctls, each with every byte of its struct,
// what it answers, and what it leaves in memory. What does not follow the script fails the test,
// and so does what is left of the script at the end.
//
// The program's own ioctl() stands before libc's, for libxdna and libdrm alike; a call on any other
// descriptor goes to the real kernel. The device is a memory file, so mmap() needs no stand-in.
#pragma once

#include <drm/amdxdna_accel.h>
#include <drm/drm.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <vector>

#include "xdna/xdna.h"

namespace xdna::test {

using Bytes = std::vector<uint8_t>;

template <class T>
Bytes bytes_of(const T& value) {
    const auto* begin = reinterpret_cast<const uint8_t*>(&value);
    return {begin, begin + sizeof value};
}
template <class T>
Bytes bytes_of(std::initializer_list<T> values) {
    const auto* begin = reinterpret_cast<const uint8_t*>(values.begin());
    return {begin, begin + values.size() * sizeof(T)};
}

/// A field of an ioctl's struct that points at memory: what must be there, and what is put there.
struct Pointed {
    size_t field;  ///< offset of the pointer in the struct
    Bytes expected;
    Bytes reply;
};

class Script {
  public:
    /// Called with the ioctl's argument after it was checked; its return value is the ioctl's.
    using Effect = std::function<int(void* argument)>;

    Script();
    ~Script();
    Script(const Script&) = delete;
    Script& operator=(const Script&) = delete;

    /// A descriptor of the device, the script's own.
    int fd() const { return fd_; }
    /// The device's memory, at the offsets that BOs are given.
    int memory() const { return fd_; }

    /// The next ioctl: `in` as it must be, but for pointed fields, and `out` as it comes back.
    template <class Struct>
    void expect(unsigned long request, const Struct& in, const Struct& out, int error = 0,
                std::vector<Pointed> pointed = {}, Effect effect = {}) {
        expect_bytes(request, bytes_of(in), bytes_of(out), error, std::move(pointed),
                     std::move(effect));
    }
    /// As above, where the struct comes back as it went in.
    template <class Struct>
    void expect(unsigned long request, const Struct& in, int error = 0,
                std::vector<Pointed> pointed = {}, Effect effect = {}) {
        expect_bytes(request, bytes_of(in), {}, error, std::move(pointed), std::move(effect));
    }
    /// Answers every ioctl instead of a script. May be called by several threads at once.
    void answer_all(std::function<int(unsigned long request, void* argument)> answer);

    /// Fails the test if some of the script was not followed; the script is empty then.
    void check_done();
    size_t left() const { return steps_.size(); }

    bool owns(int fd) const;
    int handle(unsigned long request, void* argument);

  private:
    struct Step {
        unsigned long request;
        Bytes in;
        Bytes out;  ///< empty: as it went in
        int error;
        std::vector<Pointed> pointed;
        Effect effect;
    };

    void expect_bytes(unsigned long request, Bytes in, Bytes out, int error,
                      std::vector<Pointed> pointed, Effect effect);

    int fd_ = -1;
    uint64_t inode_ = 0;
    uint64_t volume_ = 0;
    std::mutex mutex_;
    std::deque<Step> steps_;
    std::function<int(unsigned long, void*)> answer_;
};

/// What sets the kernels apart that libxdna must serve.
struct Kernel {
    const char* name;
    uint32_t minor;
    /// The NPU's address of a SHARE BO that is mapped; all ones where the kernel never says.
    uint64_t share_address;
};
extern const Kernel kLinux614;
extern const Kernel kLinux618;
extern const Kernel kLinux73;
std::ostream& operator<<(std::ostream& out, const Kernel& kernel);

constexpr uint64_t kNoAddress = ~uint64_t{0};
constexpr uint64_t kHeapAddress = 0x0400'0000;
constexpr uint64_t kHeapSize = 64ULL << 20;
constexpr uint64_t kHeapOffset = 1ULL << 32;  ///< in the device's memory

/// For Script::answer_all(): answers DRM_IOCTL_VERSION and nothing else.
std::function<int(unsigned long, void*)> answer_version(const char* name, int major, int minor);

/// A script together with a device opened on it: what every test of the library starts with.
class Machine {
  public:
    explicit Machine(const Kernel& kernel);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Script script;
    const Kernel kernel;
    xdna_device* device = nullptr;

    /// Scripts the making of a SHARE or CMD BO of `handle`, mapped at handle x 1 MiB.
    void expect_mapped_bo(uint32_t type, uint64_t size, uint32_t handle);
    /// Scripts the making of the heap, of handle 1.
    void expect_heap();
    /// Scripts the making of a DEV BO `offset` bytes into the heap.
    void expect_dev_bo(uint64_t size, uint32_t handle, uint64_t offset);
    void expect_close(uint32_t handle);
    /// Scripts the query of an npu1's metadata: 5 columns of 4 core rows.
    void expect_metadata();

    xdna_bo* make_share(uint64_t size, uint32_t handle);
    xdna_bo* make_dev(uint64_t size, uint32_t handle, uint64_t offset, bool with_heap);
    /// A context of `columns` columns, with handle `handle` and syncobj handle + 100; the first one
    /// of a machine needs the heap and the metadata.
    xdna_hwctx* make_hwctx(uint32_t columns, uint32_t handle, bool is_first);
    xdna_cmd* make_cmd(xdna_hwctx* hwctx, uint32_t handle);
    void destroy(xdna_bo* bo);
    void destroy(xdna_hwctx* hwctx);
    /// Closes the device; the heap's handle goes with it if there is one.
    void close();

    /// Memory of a BO made by this machine, seen from the kernel's side.
    uint8_t* kernel_view(uint32_t handle, size_t size);

  private:
    bool has_heap_ = false;
    std::vector<std::pair<void*, size_t>> views_;
};

}  // namespace xdna::test
