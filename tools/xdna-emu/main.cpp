// xdna-emu: runs a program against a virtual NPU.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/machine.hpp"
#include "emu/uapi/server.hpp"
#include "emu/uapi/wire.hpp"
#include "tools/xdna-emu/statistics.hpp"

namespace {

using namespace xdna::emu;  // NOLINT(google-build-using-namespace)
namespace fs = std::filesystem;

// As env, timeout and nohup: what went wrong was ours, the command could not be run, was not found.
constexpr int kOurFailure = 125, kCannotRun = 126, kNotFound = 127;
constexpr auto kGrace = std::chrono::seconds(5);

/// The interposer, beside us as built or as installed.
fs::path find_interposer() {
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    std::string tried;
    for (const char* place : {"../lib/libxdna-emu-door.so", "../lib/libxdna/libxdna-emu-door.so"}) {
        fs::path path = (here / place).lexically_normal();
        if (fs::exists(path))
            return path;
        tried += (tried.empty() ? "" : ", ") + path.string();
    }
    throw std::runtime_error("the interposer is not installed: none of " + tried);
}

void set(const char* variable, const std::string& value) {
    if (::setenv(variable, value.c_str(), 1) != 0)
        throw std::system_error(errno, std::generic_category(), variable);
}

[[noreturn]] void run(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    const int err = errno;
    std::cerr << "xdna-emu: cannot run '" << command[0] << "': " << std::strerror(err) << '\n';
    ::_exit(err == ENOENT ? kNotFound : kCannotRun);
}

/// The child that becomes the command once it is told to.
class Command {
  public:
    Command(const std::vector<std::string>& command, const sigset_t& mask) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe");
        const pid_t parent = ::getpid();
        pid_ = ::fork();
        if (pid_ < 0)
            throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ == 0) {
            ::close(ends[1]);
            ::prctl(PR_SET_PTRACER, parent);
            char go = 0;
            if (::read(ends[0], &go, 1) != 1)
                ::_exit(kOurFailure);
            ::sigprocmask(SIG_SETMASK, &mask, nullptr);
            run(command);
        }
        ::close(ends[0]);
        go_.reset(ends[1]);
    }
    pid_t pid() const { return pid_; }
    void start() {
        [[maybe_unused]] ssize_t written = ::write(go_.get(), "x", 1);
        go_.reset();
    }

  private:
    pid_t pid_ = 0;
    UniqueFd go_;
};

/// Processes whose parent we are, the command's orphans among them.
std::vector<pid_t> children() {
    std::vector<pid_t> all;
    std::error_code none;
    for (const auto& task : fs::directory_iterator("/proc/self/task", none)) {
        std::ifstream list(task.path() / "children");
        for (pid_t pid = 0; list >> pid;)
            all.push_back(pid);
    }
    return all;
}

/// Waits for the command while signals come in; its exit status as a shell gives it.
int attend(pid_t command, const sigset_t& signals) {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    int status = 0;
    bool ended = false;
    while (!ended) {
        siginfo_t info{};
        const timespec tick{0, 100'000'000};
        const int signal =
            deadline ? ::sigtimedwait(&signals, &info, &tick) : ::sigwaitinfo(&signals, &info);
        if (signal > 0 && signal != SIGCHLD) {
            // From the terminal: the command, in the same foreground group, has had it already.
            if (info.si_code != SI_KERNEL) {
                ::kill(command, signal);
                deadline = std::chrono::steady_clock::now() + kGrace;
            }
        }
        if (deadline && std::chrono::steady_clock::now() > *deadline)
            ::kill(command, SIGKILL);
        int child_status = 0;
        for (pid_t child; (child = ::waitpid(-1, &child_status, WNOHANG)) > 0;)
            if (child == command) {
                ended = true;
                status = child_status;
            }
    }
    if (deadline)  // asked to end: what the command left behind goes too
        for (pid_t orphan : children())
            ::kill(orphan, SIGKILL);
    while (::waitpid(-1, nullptr, deadline ? 0 : WNOHANG) > 0) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Where the device's log goes: complaints to stderr, everything to a file that was asked for.
class Log {
  public:
    explicit Log(const std::string& path) : to_file_(!path.empty()) {
        if (!to_file_)
            return;
        file_.open(path);
        if (!file_)
            throw std::system_error(errno, std::generic_category(), path);
    }
    void write(const LogLine& line) {
        if (!to_file_ && line.level != LogLine::Level::kWarning &&
            line.level != LogLine::Level::kError)
            return;
        std::lock_guard lock(mutex_);
        std::ostream& out = to_file_ ? static_cast<std::ostream&>(file_) : std::cerr;
        out << "xdna-emu: [" << line.time_us / 1'000'000 << '.' << std::setw(6) << std::setfill('0')
            << line.time_us % 1'000'000 << "] " << line.text << std::endl;
    }

  private:
    bool to_file_;
    std::ofstream file_;
    std::mutex mutex_;
};

/// As insmod takes them. Throws what names the one that cannot be.
void set_parameter(Driver::Options& options, const std::string& parameter) {
    const size_t equals = parameter.find('=');
    const std::string name = parameter.substr(0, equals);
    const std::string value = equals == std::string::npos ? "1" : parameter.substr(equals + 1);
    const bool yes = value == "1" || value == "Y" || value == "y";
    const bool boolean = yes || value == "0" || value == "N" || value == "n";
    char* end = nullptr;
    const unsigned long number = std::strtoul(value.c_str(), &end, 0);
    if (name == "force_iova" && boolean)
        options.force_iova = yes;
    else if (name == "force_cmdlist" && boolean)
        options.force_cmdlist = yes;
    else if (name == "tdr_timeout_ms" && !value.empty() && *end == 0)
        options.tdr_timeout_ms = static_cast<unsigned>(number);
    else
        throw std::runtime_error("--parameter " + parameter +
                                 ": no such parameter, or not its value");
}

/// A trace and the file that it is in.
class TraceFile {
  public:
    explicit TraceFile(const std::string& path) : path_(path), file_(path) {
        if (!file_)
            throw std::system_error(errno, std::generic_category(), path);
        trace_.emplace(file_);
    }
    Trace& trace() { return *trace_; }
    void finish() {
        trace_->finish();
        if (!file_)
            throw std::system_error(EIO, std::generic_category(), path_);
        if (trace_->left_out() != 0)
            std::cerr << "xdna-emu: " << path_ << ": the last " << trace_->left_out()
                      << " events are left out\n";
    }

  private:
    std::string path_;
    std::ofstream file_;
    std::optional<Trace> trace_;
};

int emulate(const Driver::Options& options, const std::vector<std::string>& command) {
    const fs::path interposer = find_interposer();
    // Before there are threads: one that does not block SIGCHLD would be given it, and it be lost.
    sigset_t signals, before;
    ::sigemptyset(&signals);
    for (int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT})
        ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, &before);

    auto driver = Driver::create(options);
    const Machine machine(ask(*driver, options));
    Server server(*driver);

    set(wire::kSocketVariable, server.environment());
    set(wire::kRootVariable, machine.root());
    const char* preloaded = std::getenv("LD_PRELOAD");
    set("LD_PRELOAD", interposer.string() + (preloaded != nullptr && *preloaded != 0
                                                 ? std::string(":") + preloaded
                                                 : std::string()));

    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const char probe = 0;
    Command child(command, before);
    if (const std::string refused = refused_access(child.pid(), &probe); !refused.empty())
        throw std::runtime_error("this kernel refuses " + refused);
    server.start();
    child.start();
    return attend(child.pid(), signals);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Runs COMMAND against a virtual NPU.", "xdna-emu"};
    std::string device = "npu1", stats, trace, log;
    std::vector<std::string> command, parameters;
    app.set_version_flag("--version", XDNA_VERSION);
    app.add_option("--device", device, "which NPU (npu1)")->capture_default_str();
    app.add_option("--parameter", parameters,
                   "a parameter of the kernel module, NAME=VALUE (force_iova, force_cmdlist, "
                   "tdr_timeout_ms)")
        ->allow_extra_args(false);
    app.add_option("--stats", stats,
                   "write each command's modelled cycles to FILE (JSON); -: in words to stderr");
    app.add_option("--trace", trace, "write what the array does to FILE, for ui.perfetto.dev");
    app.add_option("--log", log, "write what the driver would tell dmesg to FILE, not to stderr");
    app.add_option("command", command, "the program to run, after --")->required();
    app.positionals_at_end();
    app.prefix_command(false);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kOurFailure;
    }
    try {
        if (std::getenv(wire::kSocketVariable) != nullptr) {
            // Inside another one: its device is the one that is shared.
            if (!stats.empty() || !trace.empty())
                throw std::runtime_error(
                    "--stats and --trace are for the outer xdna-emu, whose NPU this is");
            run(command);
        }
        Driver::Options options;
        options.device = device.c_str();
        for (const std::string& parameter : parameters)
            set_parameter(options, parameter);
        Log lines(log);
        options.log = [&lines](const LogLine& line) { lines.write(line); };
        std::optional<Statistics> counted;
        if (!stats.empty()) {
            counted.emplace(stats);
            options.observers.report = [&](const firmware::CommandReport& report) {
                counted->add(report);
            };
        }
        std::optional<TraceFile> traced;
        if (!trace.empty())
            options.observers.trace = &traced.emplace(trace).trace();
        const int status = emulate(options, command);
        if (counted)
            counted->finish();
        if (traced)
            traced->finish();
        return status;
    } catch (const std::exception& error) {
        std::cerr << "xdna-emu: " << error.what() << '\n';
        return kOurFailure;
    }
}
