#include <xdna/xdna.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "libxdna/image/pdi.hpp"
#include "libxdna/image/transaction.hpp"
#include "tools/xdna-probe/live/live.hpp"

namespace xdna::probe {
namespace {

constexpr uint64_t kBufferBytes = 16ULL << 20;
constexpr int kCopies = 8;
constexpr unsigned kWarmCommands = 200;
constexpr unsigned kDepth = 4;  // commands that the driver queues for one context (amdxdna_ctx.h)
constexpr unsigned kThroughputCommands = 400;
constexpr int64_t kTimeoutNs = 10'000'000'000;
constexpr double kLongest = 5.0;  // seconds that a measurement may take

using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point start) {
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

/// Gives C objects back in the reverse order of their making.
template <typename T, void (*Destroy)(T*)>
struct Owned {
    T* object = nullptr;
    Owned() = default;
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { Destroy(object); }
};
using Device = Owned<xdna_device, xdna_device_close>;
using Bo = Owned<xdna_bo, xdna_bo_destroy>;
using Hwctx = Owned<xdna_hwctx, xdna_hwctx_destroy>;
using Cmd = Owned<xdna_cmd, xdna_cmd_destroy>;

class Validator {
  public:
    Validator(const std::string& node, Validation& v) : node_(node), v_(v) {}

    void run() {
        v_.asked = true;
        v_.buffer_bytes = kBufferBytes;
        v_.depth = kDepth;
        const auto start = Clock::now();
        if (!step(v_.allocate, xdna_device_open(node_.c_str(), &device_.object))) {
            return;
        }
        v_.open_ns = ns_since(start);
        if (step(v_.allocate,
                 xdna_bo_create(device_.object, XDNA_BO_SHARE, kBufferBytes, &buffer_.object))) {
            check_data();
            check_command();
        }
    }

  private:
    bool step(int& result, int returned) {
        result = returned < 0 ? -returned : 0;
        if (result != 0 && v_.failed_call.empty()) {
            v_.failed_call = xdna_error_message();
        }
        return result == 0;
    }

    // Every word differs from its neighbours and from round to round.
    static uint32_t pattern(size_t index, uint32_t round) {
        return (static_cast<uint32_t>(index) + round * 0x9e3779b9U) * 0x85ebca6bU;
    }

    void check_data() {
        auto* memory = static_cast<uint32_t*>(xdna_bo_memory(buffer_.object));
        const size_t words = kBufferBytes / sizeof(uint32_t);
        for (uint32_t round = 0; round < 2; ++round) {
            for (size_t i = 0; i < words; ++i) {
                memory[i] = pattern(i, round);
            }
            for (const xdna_sync direction : {XDNA_SYNC_TO_DEVICE, XDNA_SYNC_FROM_DEVICE}) {
                if (!step(v_.data, xdna_bo_sync(buffer_.object, direction, 0, kBufferBytes))) {
                    return;
                }
            }
            for (size_t i = 0; i < words; ++i) {
                if (memory[i] != pattern(i, round)) {
                    v_.data = EIO;
                    v_.failed_call = "word " + std::to_string(i) + " of the buffer holds " +
                                     std::to_string(memory[i]) + ", written was " +
                                     std::to_string(pattern(i, round));
                    return;
                }
            }
        }
        measure_copies(memory);
    }

    void measure_copies(uint32_t* memory) {
        std::vector<char> host(kBufferBytes, 1);
        const double bytes = static_cast<double>(kBufferBytes) * kCopies;
        auto start = Clock::now();
        for (int i = 0; i < kCopies; ++i) {
            std::memcpy(memory, host.data(), kBufferBytes);
        }
        v_.write_bytes_per_second = bytes * 1e9 / ns_since(start);
        start = Clock::now();
        for (int i = 0; i < kCopies; ++i) {
            std::memcpy(host.data(), memory, kBufferBytes);
        }
        v_.read_bytes_per_second = bytes * 1e9 / ns_since(start);
        start = Clock::now();
        for (int i = 0; i < kCopies; ++i) {
            xdna_bo_sync(buffer_.object, XDNA_SYNC_TO_DEVICE, 0, kBufferBytes);
        }
        v_.sync_bytes_per_second = bytes * 1e9 / ns_since(start);
    }

    bool make_context() {
        // An empty configuration: a PDI whose CDO writes nothing.
        const image::Bytes pdi = image::serialize(image::make_pdi(image::Cdo{}));
        xdna_hwctx_options options{};
        options.columns = 1;
        const auto start = Clock::now();
        if (!step(v_.context, xdna_hwctx_create(device_.object, &options, &hwctx_.object))) {
            return false;
        }
        const xdna_cu cu{pdi.data(), pdi.size(), 0};
        if (!step(v_.context, xdna_hwctx_configure(hwctx_.object, &cu, 1))) {
            return false;
        }
        v_.context_ns = ns_since(start);
        return true;
    }

    // Control code without operations, run as mlir-aie's programs are: START_CU with the register
    // map {opcode 3: run a transaction, its address, its words} (docs of mlir-aie's kernels.json).
    bool fill(xdna_cmd* cmd) {
        const uint64_t address = xdna_bo_address(code_.object);
        constexpr uint32_t kRunTransaction = 3;
        const uint32_t words[] = {kRunTransaction,
                                  0,
                                  static_cast<uint32_t>(address),
                                  static_cast<uint32_t>(address >> 32),
                                  static_cast<uint32_t>(code_bytes_ / sizeof(uint32_t)),
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0};
        return step(v_.command, xdna_cmd_set_start_cu(cmd, 0, words, std::size(words))) &&
               step(v_.command, xdna_cmd_bind(cmd, &code_.object, 1));
    }

    bool finish(xdna_cmd* cmd) {
        if (step(v_.command, xdna_cmd_wait(cmd, kTimeoutNs))) {
            return true;
        }
        xdna_cmd_result result{};
        if (xdna_cmd_get_result(cmd, &result) == 0) {
            v_.command_state = xdna_cmd_state_name(result.state);
        }
        return false;
    }

    void check_command() {
        if (!make_context()) {
            return;
        }
        const image::Bytes code = image::serialize(image::Transaction{});
        code_bytes_ = code.size();
        if (!step(v_.command,
                  xdna_bo_create(device_.object, XDNA_BO_DEV, code_bytes_, &code_.object))) {
            return;
        }
        std::memcpy(xdna_bo_memory(code_.object), code.data(), code.size());
        if (!step(v_.command, xdna_bo_sync(code_.object, XDNA_SYNC_TO_DEVICE, 0, code.size()))) {
            return;
        }
        for (Cmd& cmd : cmds_) {
            if (!step(v_.command, xdna_cmd_create(hwctx_.object, 0, &cmd.object)) ||
                !fill(cmd.object)) {
                return;
            }
        }
        measure_latency();
        if (v_.command == 0) {
            measure_throughput();
        }
    }

    bool once() {
        return step(v_.command, xdna_cmd_submit(cmds_[0].object)) && finish(cmds_[0].object);
    }

    void measure_latency() {
        auto start = Clock::now();
        if (!once()) {
            return;
        }
        v_.first_ns = ns_since(start);
        v_.commands = 1;
        std::vector<double> times;
        const auto begin = Clock::now();
        while (times.size() < kWarmCommands && ns_since(begin) < kLongest * 1e9) {
            start = Clock::now();
            if (!once()) {
                return;
            }
            times.push_back(ns_since(start));
            ++v_.commands;
        }
        std::sort(times.begin(), times.end());
        v_.warm_median_ns = times[times.size() / 2];
        v_.warm_min_ns = times.front();
        v_.warm_max_ns = times.back();
    }

    // A ring of commands: each is waited for before it is submitted again, and the last ones too.
    void measure_throughput() {
        const auto start = Clock::now();
        unsigned submitted = 0;
        while (submitted < kThroughputCommands && ns_since(start) < kLongest * 1e9) {
            xdna_cmd* cmd = cmds_[submitted % kDepth].object;
            if ((submitted >= kDepth && !finish(cmd)) || !step(v_.command, xdna_cmd_submit(cmd))) {
                return;
            }
            ++submitted;
        }
        for (unsigned i = submitted < kDepth ? 0 : submitted - kDepth; i < submitted; ++i) {
            if (!finish(cmds_[i % kDepth].object)) {
                return;
            }
        }
        v_.commands += submitted;
        v_.commands_per_second = submitted * 1e9 / ns_since(start);
    }

    const std::string& node_;
    Validation& v_;
    size_t code_bytes_ = 0;
    Device device_;
    Bo buffer_;
    Hwctx hwctx_;
    Bo code_;
    Cmd cmds_[kDepth];
};

}  // namespace

void validate_node(const std::string& node, NodeAnswers& answers) {
    Validator(node, answers.validation).run();
}

}  // namespace xdna::probe
