// xdna-run: one kernel on one NPU, on given or random data, checked against a CPU reference.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/catalog.hpp"
#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/xclbin.hpp"
#include "xdna/xdna.hpp"

namespace {

using Bytes = std::vector<uint8_t>;
using Clock = std::chrono::steady_clock;
using xdna::kernels::Argument;
using xdna::kernels::Kernel;

struct Options {
    std::string kernel;
    std::string device;
    xdna::kernels::Shape shape;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    unsigned repeat = 1;
    uint64_t seed = 1;
    bool check = false;
    bool json = false;
    bool list = false;
};

[[noreturn]] void fail_file(const std::string& path, const char* what) {
    throw std::runtime_error(path + ": " + what + ": " + std::strerror(errno));
}

Bytes read_file(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        throw std::runtime_error(path + ": is a directory");
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        fail_file(path, "cannot be opened");
    }
    Bytes bytes{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) {
        fail_file(path, "cannot be read");
    }
    return bytes;
}

void write_file(const std::string& path, std::span<const uint8_t> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
        fail_file(path, "cannot be written");
    }
}

// Kernels' files lie beside the program, in the build tree and when installed.
std::filesystem::path kernel_file(const std::string& name) {
    if (name.find('/') != std::string::npos || std::filesystem::exists(name)) {
        return name;
    }
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const char* folder : {"../kernels", "../lib/libxdna/kernels"}) {
        const auto path = program / folder / (name + ".xclbin");
        if (std::filesystem::exists(path)) {
            return path;
        }
    }
    throw std::runtime_error("no file " + name + ".xclbin in kernels/ beside the program");
}

const Kernel& find_kernel(const std::filesystem::path& path) {
    const Kernel* kernel = xdna::kernels::find(path.stem().string());
    if (!kernel) {
        std::string known;
        for (const Kernel* each : xdna::kernels::catalog()) {
            known += (known.empty() ? "" : ", ") + std::string(each->name());
        }
        throw std::invalid_argument("no kernel '" + path.stem().string() +
                                    "'; there are: " + known);
    }
    return *kernel;
}

// The PDI in an xclbin, or the file itself.
Bytes read_pdi(const std::filesystem::path& path) {
    Bytes bytes = read_file(path.string());
    if (!xdna::image::looks_like_xclbin(bytes)) {
        return bytes;
    }
    const auto xclbin = xdna::image::parse_xclbin(bytes);
    for (const auto& section : xclbin.sections) {
        if (section.kind == xdna::image::SectionKind::kAiePartition) {
            const auto partition = xdna::image::parse_aie_partition(section.data);
            if (!partition.pdis.empty()) {
                return partition.pdis[0].image;
            }
        }
    }
    throw std::runtime_error(path.string() + ": an xclbin without a PDI");
}

uint64_t whole_words(uint64_t bytes) {
    return (bytes + 3) / 4 * 4;
}

// Everything one run holds on the device.
class Session {
  public:
    Session(const Options& options, const Kernel& kernel, const Bytes& pdi,
            const xdna::kernels::Command& command)
        : device_(options.device.empty() ? nullptr : options.device.c_str()),
          context_(device_, static_cast<uint32_t>(kernel.design().columns())),
          code_(device_, XDNA_BO_DEV, command.code.size()),
          command_(context_) {
        context_.configure(std::as_bytes(std::span(pdi)));
        std::copy(command.code.begin(), command.code.end(), code_.span<uint8_t>().begin());
        code_.sync_to_device();

        // Register map of a transaction kernel: opcode 3, code, its length in words, buffers.
        std::vector<uint32_t> words = {3, 0};
        const auto address = [&](uint64_t value) {
            words.push_back(static_cast<uint32_t>(value));
            words.push_back(static_cast<uint32_t>(value >> 32));
        };
        address(code_.address());
        words.push_back(static_cast<uint32_t>(command.code.size() / 4));
        for (const Argument& argument : command.arguments) {
            buffers_.emplace_back(device_, XDNA_BO_SHARE, whole_words(argument.bytes));
            address(buffers_.back().address());
        }
        command_.set_start_cu(0, words);
        command_.bind(code_);
        command_.bind(std::span<const xdna::Bo>(buffers_));
    }

    std::span<uint8_t> buffer(size_t argument) { return buffers_[argument].span<uint8_t>(); }

    /// Seconds from submission to completion.
    double run() {
        for (xdna::Bo& bo : buffers_) {
            bo.sync_to_device();
        }
        const auto start = Clock::now();
        command_.run();
        const std::chrono::duration<double> elapsed = Clock::now() - start;
        for (xdna::Bo& bo : buffers_) {
            bo.sync_from_device();
        }
        return elapsed.count();
    }

    std::string where() const {
        const xdna_device_info info = device_.info();
        return std::string(info.node) + " (" + info.generation + ")";
    }

  private:
    xdna::Device device_;
    xdna::HwContext context_;
    xdna::Bo code_;
    std::vector<xdna::Bo> buffers_;
    xdna::Command command_;
};

// Given inputs, else random ones.
std::vector<Bytes> make_inputs(const Options& options, const std::vector<Argument>& arguments) {
    std::mt19937_64 random(options.seed);
    std::vector<Bytes> inputs;
    for (const Argument& argument : arguments) {
        if (argument.output) {
            continue;
        }
        if (inputs.size() < options.inputs.size()) {
            const std::string& path = options.inputs[inputs.size()];
            inputs.push_back(read_file(path));
            if (inputs.back().size() != argument.bytes) {
                throw std::invalid_argument(path + ": has " + std::to_string(inputs.back().size()) +
                                            " bytes; '" + argument.name + "' takes " +
                                            std::to_string(argument.bytes));
            }
            continue;
        }
        Bytes& bytes = inputs.emplace_back(argument.bytes);
        std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<uint8_t>(random()); });
    }
    if (inputs.size() < options.inputs.size()) {
        throw std::invalid_argument("the kernel takes " + std::to_string(inputs.size()) +
                                    " inputs, not " + std::to_string(options.inputs.size()));
    }
    return inputs;
}

// The first byte that differs, in words; "" if none does.
std::string difference(const Argument& argument, std::span<const uint8_t> got,
                       const Bytes& expected) {
    const auto [at, want] =
        std::mismatch(got.begin(), got.begin() + static_cast<ptrdiff_t>(argument.bytes),
                      expected.begin(), expected.end());
    if (want == expected.end()) {
        return "";
    }
    return argument.name + ": byte " + std::to_string(at - got.begin()) + " is " +
           std::to_string(*at) + ", should be " + std::to_string(*want);
}

int run(const Options& options) {
    const auto path = kernel_file(options.kernel);
    const Kernel& kernel = find_kernel(path);
    xdna::kernels::Shape shape = options.shape;
    shape.bytes = shape.rows ? shape.rows * shape.columns * 4 : shape.bytes;
    const auto command = kernel.command(shape);
    const auto inputs = make_inputs(options, command.arguments);
    Session session(options, kernel, read_pdi(path), command);

    size_t input = 0;
    uint64_t moved = 0;
    for (size_t i = 0; i < command.arguments.size(); ++i) {
        const auto buffer = session.buffer(i);
        if (command.arguments[i].output) {
            // What the NPU leaves untouched must not look right by chance.
            std::fill(buffer.begin(), buffer.end(), uint8_t{0xA5});
        } else {
            std::copy(inputs[input].begin(), inputs[input].end(), buffer.begin());
            ++input;
        }
        moved += command.arguments[i].bytes;
    }

    std::vector<double> seconds;
    for (unsigned i = 0; i < options.repeat; ++i) {
        seconds.push_back(session.run());
    }
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    const double median = sorted[sorted.size() / 2];

    std::string wrong;
    size_t output = 0;
    const auto expected = options.check ? kernel.reference(shape, inputs) : std::vector<Bytes>{};
    for (size_t i = 0; i < command.arguments.size(); ++i) {
        const Argument& argument = command.arguments[i];
        if (!argument.output) {
            continue;
        }
        const std::span<const uint8_t> got = session.buffer(i);
        if (output < options.outputs.size()) {
            write_file(options.outputs[output], got.first(argument.bytes));
        }
        if (options.check && wrong.empty()) {
            wrong = difference(argument, got, expected[output]);
        }
        ++output;
    }

    const char* verdict = !options.check ? "not checked" : wrong.empty() ? "correct" : "WRONG";
    if (options.json) {
        nlohmann::json report = {
            {"kernel", kernel.name()},  {"device", session.where()},   {"bytes_moved", moved},
            {"repeat", options.repeat}, {"seconds_first", seconds[0]}, {"seconds_median", median},
            {"result", verdict}};
        if (!wrong.empty()) {
            report["difference"] = wrong;
        }
        std::cout << report.dump(2) << "\n";
    } else {
        std::cout << kernel.name() << " on " << session.where() << ": " << moved
                  << " bytes in and out, " << verdict << "; first " << seconds[0] * 1e3
                  << " ms, median " << median * 1e3 << " ms of " << options.repeat
                  << " (host time)\n";
        if (!wrong.empty()) {
            std::cout << wrong << "\n";
        }
    }
    return wrong.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{
        "Runs a kernel on an AMD NPU.\n"
        "Exit status: 0 it ran (and was correct, with --check); 1 it failed or was wrong;\n"
        "3 wrong usage."};
    app.add_option("kernel", options.kernel, "name (see --list), or an .xclbin or .pdi file of it");
    app.add_option("--device", options.device, "index, PCI address or node (default: the first)");
    app.add_option("--bytes", options.shape.bytes, "size of a buffer, for kernels that take one")
        ->default_val(uint64_t{1} << 20);
    app.add_option("--rows", options.shape.rows, "rows, for kernels that take a matrix");
    app.add_option("--columns", options.shape.columns, "columns of it");
    app.add_option("--input", options.inputs, "raw file for the next input (default: random)");
    app.add_option("--output", options.outputs, "raw file for the next output");
    app.add_option("--repeat", options.repeat, "runs")->check(CLI::Range(1U, 1000000U));
    app.add_option("--seed", options.seed, "of the random inputs");
    app.add_flag("--check", options.check, "compare with the reference on the CPU");
    app.add_flag("--json", options.json, "report as JSON");
    app.add_flag("--list", options.list, "list the kernels and what they take");
    app.set_version_flag("--version", "xdna-run " XDNA_VERSION);
    try {
        app.parse(argc, argv);
        if (options.list) {
            for (const Kernel* kernel : xdna::kernels::catalog()) {
                std::cout << kernel->name() << ": " << kernel->summary() << "; takes "
                          << kernel->shape_help() << "\n";
            }
            return 0;
        }
        if (options.kernel.empty()) {
            throw CLI::RequiredError("kernel");
        }
        return run(options);
    } catch (const CLI::Success& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        app.exit(e);
        return 3;
    } catch (const std::invalid_argument& e) {
        std::cerr << "xdna-run: " << e.what() << "\n";
        return 3;
    } catch (const std::exception& e) {
        std::cerr << "xdna-run: " << e.what() << "\n";
        return 1;
    }
}
