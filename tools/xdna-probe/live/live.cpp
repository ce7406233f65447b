#include "tools/xdna-probe/live/live.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

volatile std::sig_atomic_t stop_requested = 0;
void request_stop(int /*signal*/) {
    stop_requested = 1;
}

class Running final : public Live {
  public:
    std::unique_ptr<Files> files() override { return live_files(); }

    Answers ask(Files& files) override {
        Answers answers;
        struct utsname name {};
        if (uname(&name) == 0) {
            answers.release = name.release;
            answers.machine = name.machine;
        }
        answers.process = this_process();
        for (const char* variable : {"LD_LIBRARY_PATH", "XILINX_XRT"}) {
            if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') {
                answers.environment[variable] = value;
            }
        }
        // xdna-emu's door is told its socket by this variable (emu/uapi/wire.hpp).
        answers.virtual_npu = std::getenv("XDNA_EMU_SOCKET") != nullptr;
        for (const std::string& node : accel_nodes(files)) {
            answers.nodes[node] = ask_node(node);
        }
        // After the nodes: what their opening made the driver say is part of it.
        if (answers.virtual_npu) {
            answers.log = LogState::kNotRecorded;  // the host's log is not this NPU's
        } else {
            answers.log = read_kernel_log(answers.log_lines);
        }
        return answers;
    }

    void validate(const std::string& node, NodeAnswers& answers) override {
        validate_node(node, answers);
    }
    NodeAnswers sample(const std::string& node) override { return sample_node(node); }

    bool wait(std::chrono::milliseconds time) override {
        if (!handles_signals_) {
            struct sigaction action {};
            action.sa_handler = request_stop;
            sigaction(SIGINT, &action, nullptr);
            sigaction(SIGTERM, &action, nullptr);
            handles_signals_ = true;
        }
        const auto count = time.count();
        const timespec interval{count / 1000, count % 1000 * 1'000'000};
        return stop_requested == 0 && nanosleep(&interval, nullptr) == 0 && stop_requested == 0;
    }

    std::string home() const override {
        const char* home = std::getenv("HOME");
        return home == nullptr ? "" : home;
    }

    bool write_file(const std::string& path, const std::string& bytes,
                    std::string& error) override {
        const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        size_t done = 0;
        int failure = fd < 0 ? errno : 0;
        while (failure == 0 && done < bytes.size()) {
            const ssize_t count = write(fd, bytes.data() + done, bytes.size() - done);
            if (count < 0 && errno != EINTR) {
                failure = errno;
            }
            done += count > 0 ? static_cast<size_t>(count) : 0;
        }
        if (fd >= 0 && close(fd) != 0 && failure == 0) {
            failure = errno;
        }
        error = failure == 0 ? "" : errno_text(failure);
        return failure == 0;
    }

  private:
    bool handles_signals_ = false;
};

}  // namespace

std::unique_ptr<Live> make_live() {
    return std::make_unique<Running>();
}

}  // namespace xdna::probe
