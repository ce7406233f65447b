// What does not live in files: who asks, what the kernel answers, and what the NPU says. On a
// captured machine it comes from xdna-probe/facts.json.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace xdna::probe {

constexpr int kFactsSchema = 1;
constexpr int kNotAsked = -1;  ///< in place of an errno: nobody has asked

template <typename T>
struct Answer {
    int error = kNotAsked;  ///< 0, a positive errno, or kNotAsked
    T value{};

    explicit operator bool() const { return error == 0; }
    bool asked() const { return error != kNotAsked; }
};

struct DriverVersion {
    std::string name;
    uint32_t major = 0;
    uint32_t minor = 0;
    uint32_t patch = 0;
};
struct Metadata {
    uint32_t columns = 0;
    uint32_t rows = 0;
    uint32_t core_rows = 0;
};
struct Clocks {
    uint32_t mp_npu_mhz = 0;
    uint32_t h_mhz = 0;
};
struct Sensor {
    std::string label;
    std::string units;
    uint32_t input = 0;
    bool power = false;  ///< else a column's utilisation
};
struct Context {
    int64_t pid = 0;
    uint32_t id = 0;
    uint32_t start_column = 0;
    uint32_t columns = 0;
    uint64_t submissions = 0;
    uint64_t completions = 0;
    uint64_t errors = 0;
    uint64_t suspensions = 0;
};
struct Resources {
    uint64_t clock_max_mhz = 0;
    uint64_t task_max = 0;
    uint64_t task_current = 0;
};
struct AsyncError {
    uint64_t code = 0;
    std::string what;
};

/// What --validate measured; times in nanoseconds. A step that was not reached keeps kNotAsked.
struct Validation {
    bool asked = false;
    std::string failed_call;  ///< the library's words for the first failure
    int allocate = kNotAsked;
    int data = kNotAsked;  ///< EIO: what was read back is not what was written
    int context = kNotAsked;
    int command = kNotAsked;  ///< ETIME: no completion in time, EIO: ended in another state
    std::string command_state;
    uint64_t buffer_bytes = 0;
    uint64_t commands = 0;
    double open_ns = 0;
    double context_ns = 0;
    double first_ns = 0;  ///< submit to completion, the first command of the context
    double warm_median_ns = 0;
    double warm_min_ns = 0;
    double warm_max_ns = 0;
    double commands_per_second = 0;  ///< `depth` in flight
    unsigned depth = 0;
    double write_bytes_per_second = 0;  ///< CPU writes the BO
    double read_bytes_per_second = 0;
    double sync_bytes_per_second = 0;
};

/// One /dev/accel/accelN, as this process found it.
struct NodeAnswers {
    int open_error = kNotAsked;
    int second_open_error = kNotAsked;  ///< opened again while open
    Answer<DriverVersion> driver;
    Answer<std::string> firmware;  ///< "1.5.5.391"
    Answer<Metadata> metadata;
    Answer<Clocks> clocks;
    Answer<uint32_t> power_mode;  ///< enum xdna_power_mode
    Answer<std::vector<Sensor>> sensors;
    Answer<std::vector<Context>> contexts;
    Answer<Resources> resources;
    Answer<AsyncError> async_error;
    Validation validation;
};

struct Process {
    bool known = false;
    unsigned uid = 0;
    unsigned gid = 0;
    std::vector<unsigned> groups;
    bool cap_sys_admin = false;
    bool cap_ipc_lock = false;
    bool cap_dac_override = false;
    uint64_t memlock_soft = 0;  ///< bytes; UINT64_MAX: unlimited
    uint64_t memlock_hard = 0;
};

enum class LogState { kNotRecorded, kRead, kDenied };

struct Answers {
    std::string release;  ///< uname -r
    std::string machine;  ///< uname -m
    Process process;
    LogState log = LogState::kNotRecorded;
    std::vector<std::string> log_lines;
    bool virtual_npu = false;  ///< the node belongs to libxdna's virtual NPU (xdna-emu)
    std::map<std::string, std::string> environment;  ///< LD_LIBRARY_PATH, XILINX_XRT
    std::map<std::string, NodeAnswers> nodes;        ///< by path
};

nlohmann::ordered_json to_json(const Answers& answers);
nlohmann::ordered_json to_json(const NodeAnswers& node);
nlohmann::ordered_json to_json(const Validation& validation);
/// Takes what is there and of the right type; the rest stays as "not asked".
Answers answers_from_json(const nlohmann::json& json);

const char* power_mode_name(uint32_t mode);

}  // namespace xdna::probe
