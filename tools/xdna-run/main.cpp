// xdna-run: one kernel on one NPU, on given or random data, checked against a CPU reference.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/catalog.hpp"
#include "tools/xdna-run/attention.hpp"
#include "tools/xdna-run/files.hpp"
#include "tools/xdna-run/npy.hpp"
#include "tools/xdna-run/options.hpp"
#include "tools/xdna-run/session.hpp"

namespace {

using namespace xdna::run;

using Bytes = std::vector<uint8_t>;
using xdna::kernels::Argument;
using xdna::kernels::Kernel;
using xdna::kernels::Tensor;
using xdna::kernels::Type;

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

// What is to be run: from the catalog, or from a manifest and the files beside it.
struct Job {
    const Kernel* kernel = nullptr;  ///< null: a manifest's that is not in the catalog
    std::string name;
    uint32_t columns = 0;
    Bytes pdi;
    xdna::kernels::Shape shape;
    xdna::kernels::Command command;
};

Job job_of_manifest(const std::filesystem::path& path) {
    const Bytes text = read_file(path.string());
    try {
        const auto manifest = nlohmann::json::parse(text);
        const auto beside = [&](const char* key) {
            return read_file(path.parent_path() / manifest.at(key).get<std::string>());
        };
        Job job;
        job.name = manifest.at("name");
        job.kernel = xdna::kernels::find(job.name);
        job.columns = manifest.at("columns");
        job.pdi = beside("pdi");
        job.command.code = beside("instructions");
        for (const auto& row : xdna::kernels::kShapeMembers) {
            std::visit(
                [&](auto member) {
                    job.shape.*member = manifest.at("problem").value(row.name, job.shape.*member);
                },
                row.member);
        }
        for (const auto& row : manifest.at("arguments")) {
            Argument argument{row.at("name"), row.at("bytes"), row.at("direction") == "out", {}};
            const auto type = xdna::kernels::find_type(row.at("type").get<std::string>());
            if (!type) {
                throw std::invalid_argument("no type " + row.at("type").dump());
            }
            argument.tensor = {*type, row.value("shape", std::vector<uint64_t>{}),
                               row.value("padded", std::vector<uint64_t>{})};
            if (*type != Type::kBytes && device_bytes(argument.tensor) != argument.bytes) {
                throw std::invalid_argument("argument '" + argument.name + "' of " +
                                            std::to_string(argument.bytes) +
                                            " bytes has another shape");
            }
            job.command.arguments.push_back(argument);
        }
        return job;
    } catch (const nlohmann::json::exception& error) {
        throw std::invalid_argument(path.string() + ": " + error.what());
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(path.string() + ": " + error.what());
    }
}

// A file that the user named for an argument.
struct Given {
    std::string path;
    Bytes file;
    std::optional<xdna::run::Array> array;  ///< of a .npy file
};

// Calls `act`; what it finds wrong is told with the file's name.
template <typename Act>
auto about(const std::string& path, Act&& act) {
    try {
        return act();
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(path + ": " + error.what());
    }
}

// The files for arguments, by argument name: those named so, and --input or --output in order.
std::map<std::string, std::string> files_of(const Options& options,
                                            const std::vector<Argument>& arguments, bool output) {
    std::map<std::string, std::string> files;
    const auto& list = output ? options.outputs : options.inputs;
    size_t next = 0;
    for (const Argument& argument : arguments) {
        if (argument.output != output) {
            continue;
        }
        if (const auto named = options.files.find(argument.name); named != options.files.end()) {
            files[argument.name] = named->second;
        } else if (next < list.size()) {
            files[argument.name] = list[next++];
        }
    }
    if (next < list.size()) {
        throw std::invalid_argument(std::string("more ") + (output ? "--output" : "--input") +
                                    " than the kernel has: " + list[next]);
    }
    return files;
}

void check_names(const Options& options, const std::vector<Argument>& arguments) {
    for (const auto& [name, path] : options.files) {
        if (std::none_of(arguments.begin(), arguments.end(),
                         [&, &wanted = name](const Argument& a) { return a.name == wanted; })) {
            throw std::invalid_argument("--" + name + ": no option, and no argument of the kernel");
        }
    }
}

std::map<std::string, Given> read_inputs(const std::map<std::string, std::string>& files) {
    std::map<std::string, Given> given;
    for (const auto& [name, path] : files) {
        Given& input = given[name];
        input.path = path;
        input.file = read_file(path);
        if (xdna::run::is_npy(input.file)) {
            input.array = about(path, [&] { return xdna::run::parse_npy(input.file); });
        }
    }
    return given;
}

// Values of a kind that does not overflow: small floats, any integer.
Bytes random_values(const Argument& argument, std::mt19937_64& random) {
    const Tensor& tensor = argument.tensor;
    if (tensor.type == Type::kBf16 || tensor.type == Type::kFloat32) {
        const size_t width = user_bytes(tensor.type);
        Bytes bytes(user_bytes(tensor));
        std::normal_distribution<float> normal;
        for (size_t at = 0; at < bytes.size(); at += width) {
            const float value = normal(random);
            std::memcpy(&bytes[at], reinterpret_cast<const char*>(&value) + 4 - width, width);
        }
        return bytes;
    }
    Bytes bytes(tensor.type == Type::kBytes ? argument.bytes : user_bytes(tensor));
    for (uint8_t& byte : bytes) {
        byte = static_cast<uint8_t>(random());
        if (tensor.type == Type::kInt4) {
            byte = static_cast<uint8_t>(byte % 16 - 8);
        }
    }
    return bytes;
}

// Every input's values, given or else random ones.
std::vector<Bytes> make_inputs(const std::map<std::string, Given>& given, uint64_t seed,
                               const std::vector<Argument>& arguments) {
    std::mt19937_64 random(seed);
    std::vector<Bytes> inputs;
    for (const Argument& argument : arguments) {
        if (argument.output) {
            continue;
        }
        const auto found = given.find(argument.name);
        if (found == given.end()) {
            inputs.push_back(random_values(argument, random));
            continue;
        }
        const Given& input = found->second;
        const Tensor& tensor = argument.tensor;
        about(input.path, [&] {
            const uint64_t wanted =
                tensor.type == Type::kBytes ? argument.bytes : user_bytes(tensor);
            if (input.array && tensor.type != Type::kBytes) {
                if (input.array->shape != tensor.shape) {
                    throw std::invalid_argument("its shape is not that of '" + argument.name + "'");
                }
                inputs.push_back(values_of(*input.array, tensor.type));
            } else {
                inputs.push_back(input.file);
            }
            if (inputs.back().size() != wanted) {
                throw std::invalid_argument("has " + std::to_string(inputs.back().size()) +
                                            " bytes; '" + argument.name + "' takes " +
                                            std::to_string(wanted));
            }
        });
    }
    return inputs;
}

Job make_job(const Options& options) {
    const auto path = kernel_file(options.kernel);
    if (path.extension() == ".json") {
        if (!options.sizes.empty()) {
            throw std::invalid_argument("--" + *options.sizes.begin() + ": " + path.string() +
                                        " is for one size only, its own");
        }
        return job_of_manifest(path);
    }
    const Kernel& kernel = find_kernel(path);
    check_sizes(options, kernel);
    Job job;
    job.kernel = &kernel;
    job.name = kernel.name();
    job.pdi = read_pdi(path);
    job.columns = static_cast<uint32_t>(kernel.design().columns());
    job.shape = options.shape;
    return job;
}

std::string element_text(Type type, const uint8_t* at) {
    uint32_t bits = 0;
    std::memcpy(&bits, at, xdna::kernels::user_bytes(type));
    switch (type) {
        case Type::kInt4:
        case Type::kInt8:
            return std::to_string(static_cast<int8_t>(bits));
        case Type::kInt32:
            return std::to_string(static_cast<int32_t>(bits));
        case Type::kBf16:
            return std::to_string(std::bit_cast<float>(bits << 16));
        case Type::kFloat32:
            return std::to_string(std::bit_cast<float>(bits));
        default:
            return std::to_string(bits);
    }
}

// The first element that differs, in words; "" if none does.
std::string difference(const Argument& argument, const Bytes& got, const Bytes& expected) {
    const Tensor& tensor = argument.tensor;
    const size_t width = user_bytes(tensor.type);
    const auto [at, want] = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
    if (at == got.end() && want == expected.end()) {
        return "";
    }
    if (got.size() != expected.size()) {
        return argument.name + ": the reference has another size";
    }
    const size_t element = static_cast<size_t>(at - got.begin()) / width;
    std::string place = std::to_string(element);
    uint64_t rest = element;
    for (size_t d = tensor.shape.size(); d-- > 0;) {
        place = std::to_string(rest % tensor.shape[d]) +
                (d + 1 < tensor.shape.size() ? "," + place : "");
        rest /= tensor.shape[d];
    }
    return argument.name + "[" + place + "] is " +
           element_text(tensor.type, &got[element * width]) + ", should be " +
           element_text(tensor.type, &expected[element * width]);
}

int run(const Options& options) {
    Job job = make_job(options);
    if (!job.kernel && options.check) {
        throw std::invalid_argument("--check: there is no reference for " + job.name);
    }
    const auto known =
        job.command.code.empty() ? job.kernel->command(job.kernel->example()) : job.command;
    check_names(options, known.arguments);
    const auto given = read_inputs(files_of(options, known.arguments, false));
    const auto output_files = files_of(options, known.arguments, true);
    if (job.command.code.empty()) {
        for (const auto& [name, input] : given) {
            if (input.array) {
                about(input.path, [&, &argument = name] {
                    job.kernel->adopt(job.shape, argument, input.array->shape);
                });
            }
        }
        job.command = job.kernel->command(job.shape);
    }
    const std::vector<Argument>& arguments = job.command.arguments;
    for (const Argument& argument : arguments) {
        if (!argument.output && !given.contains(argument.name) && job.kernel &&
            !job.kernel->takes_any_bytes()) {
            throw std::invalid_argument(options.kernel + ": '" + argument.name +
                                        "' can't be random bytes: give --" + argument.name +
                                        ", or run the kernel by its name");
        }
    }
    const auto inputs = make_inputs(given, options.seed, arguments);
    Session session(options.device, job.columns, job.pdi, job.command);

    size_t input = 0;
    uint64_t moved = 0;
    for (size_t i = 0; i < arguments.size(); ++i) {
        const auto buffer = session.buffer(i);
        if (arguments[i].output) {
            // What the NPU leaves untouched must not look right by chance.
            std::fill(buffer.begin(), buffer.end(), uint8_t{0xA5});
        } else {
            const Bytes bytes = to_device(arguments[i].tensor, inputs[input++]);
            std::copy(bytes.begin(), bytes.end(), buffer.begin());
        }
        moved += arguments[i].bytes;
    }

    std::vector<double> seconds;
    for (unsigned i = 0; i < options.repeat; ++i) {
        seconds.push_back(session.run());
    }
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    const double median = sorted[sorted.size() / 2];

    if (!options.buffers.empty()) {
        session.write_buffers(options.buffers);
    }

    std::string wrong;
    size_t output = 0;
    const auto expected =
        options.check ? job.kernel->reference(job.shape, inputs) : std::vector<Bytes>{};
    for (size_t i = 0; i < arguments.size(); ++i) {
        const Argument& argument = arguments[i];
        if (!argument.output) {
            continue;
        }
        const Bytes got = from_device(argument.tensor, session.buffer(i).first(argument.bytes));
        if (const auto file = output_files.find(argument.name); file != output_files.end()) {
            const bool npy = std::filesystem::path(file->second).extension() == ".npy";
            write_file(file->second,
                       npy ? serialize_npy(xdna::run::array_of(argument.tensor, got)) : got);
        }
        if (options.check && wrong.empty()) {
            wrong = difference(argument, got, expected[output]);
        }
        ++output;
    }

    const char* verdict = !options.check ? "not checked" : wrong.empty() ? "correct" : "WRONG";
    if (options.json) {
        nlohmann::json shape = nlohmann::json::object();
        for (const Argument& argument : arguments) {
            shape[argument.name] = argument.tensor.shape;
        }
        nlohmann::json report = {{"kernel", job.name},
                                 {"device", session.where()},
                                 {"bytes_moved", moved},
                                 {"repeat", options.repeat},
                                 {"seconds_first", seconds[0]},
                                 {"seconds_median", median},
                                 {"shapes", shape},
                                 {"result", verdict}};
        if (!wrong.empty()) {
            report["difference"] = wrong;
        }
        std::cout << report.dump(2) << "\n";
    } else {
        std::cout << job.name << " on " << session.where() << ": " << moved << " bytes in and out, "
                  << verdict << "; first " << seconds[0] * 1e3 << " ms, median " << median * 1e3
                  << " ms of " << options.repeat << " (host time)\n";
        if (!wrong.empty()) {
            std::cout << wrong << "\n";
        }
    }
    return wrong.empty() ? 0 : 1;
}

// What CLI11 did not know: --NAME FILE for an argument of the kernel.
void take_files(Options& options, const std::vector<std::string>& rest) {
    for (size_t i = 0; i < rest.size(); i += 2) {
        if (rest[i].size() < 3 || rest[i].substr(0, 2) != "--" || i + 1 == rest.size()) {
            throw std::invalid_argument(rest[i] + ": neither an option nor --ARGUMENT FILE");
        }
        options.files[rest[i].substr(2)] = rest[i + 1];
    }
}

// --k is a number for some kernels and a file for others.
void take_k(Options& options) {
    const auto k = options.files.find("k");
    const std::string& text = k->second;
    const bool number = text.find_first_not_of("0123456789") == std::string::npos;
    if (number && !text.empty()) {
        options.shape.k = std::stoull(text);
        options.sizes.insert("k");
    }
    if (number) {
        options.files.erase(k);
    }
}

void take_sizes(Options& options, const CLI::App& app) {
    std::vector<std::string> names{"head-size"};
    for (const auto& row : xdna::kernels::kShapeMembers) {
        names.push_back(xdna::run::option_of(row.name));
    }
    for (const std::string& name : names) {
        // A file is no size.
        if (name != "k" && app.count("--" + name) > 0) {
            options.sizes.insert(name);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{
        "Runs a kernel on an AMD NPU.\n"
        "Exit status: 0 it ran (and was correct, with --check); 1 it failed or was wrong;\n"
        "3 wrong usage."};
    app.add_option("kernel", options.kernel,
                   "name (see --list), an .xclbin or .pdi file of it, or a manifest (.json)");
    app.add_option("--device", options.device, "index, PCI address or node (default: the first)");
    app.add_option("--bytes", options.shape.bytes, "size of a buffer, for kernels that take one")
        ->default_val(uint64_t{1} << 20);
    app.add_option("--rows", options.shape.rows, "rows, for kernels that take a matrix");
    app.add_option("--columns", options.shape.columns, "columns of it");
    app.add_option("--m", options.shape.m, "rows of A and C, for a matmul");
    app.add_option("--n", options.shape.n, "columns of B and C");
    app.add_option("--k", options.files["k"],
                   "columns of A, rows of B; for attention the file of keys");
    app.add_option("--scale", options.shape.scale, "factor of requantised results");
    app.add_option("--heads", options.shape.heads, "query heads, for attention on random data");
    app.add_option("--kv-heads", options.shape.kv_heads, "heads of keys and values");
    app.add_option("--length", options.shape.length, "tokens");
    app.add_option("--head-size", options.head_size, "32, 64 or 128");
    app.add_flag("--causal", options.shape.causal, "a token attends to itself and those before it");
    app.add_option("--input", options.inputs,
                   ".npy or raw file for the next input (default: random). Also: --ARGUMENT FILE");
    app.add_option("--output", options.outputs, ".npy or raw file for the next output")
        ->expected(1);
    app.add_option("--buffers", options.buffers,
                   "write each buffer, as the NPU had it, to DIR/ARGUMENT")
        ->check(CLI::ExistingDirectory);
    app.allow_extras();
    app.add_option("--repeat", options.repeat, "runs")->check(CLI::Range(1U, 1000000U));
    app.add_option("--seed", options.seed, "of the random inputs");
    app.add_flag("--check", options.check, "compare with the reference on the CPU");
    app.add_flag("--json", options.json, "report as JSON");
    app.add_flag("--list", options.list, "list the kernels and what they take");
    app.set_version_flag("--version", "xdna-run " XDNA_VERSION);
    try {
        app.parse(argc, argv);
        take_files(options, app.remaining());
        take_k(options);
        take_sizes(options, app);
        if (options.list) {
            for (const Kernel* kernel : xdna::kernels::catalog()) {
                std::cout << kernel->name() << ": " << kernel->summary() << "; takes "
                          << shape_help(*kernel) << "\n";
            }
            return 0;
        }
        if (options.kernel.empty()) {
            throw CLI::RequiredError("kernel");
        }
        return is_attention(options.kernel) ? run_attention(options) : run(options);
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
