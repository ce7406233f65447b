// xdna-as: the assembler for AIE2 cores.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "kernels/as/assembler.hpp"
#include "kernels/as/object.hpp"

namespace {

enum class Output : std::uint8_t { kObject, kExecutable, kFlat };

constexpr int kFailed = 1;
constexpr int kUsage = 3;

struct Arguments {
    std::string input;
    std::string output;
    Output kind = Output::kObject;
    std::vector<std::string> defines;
    std::vector<std::string> symbols;
    xdna::as::Options options;
    xdna::as::LinkOptions link;
    bool no_auto_align = false;
};

/// "name=number" for each, number as C writes it.
template <typename Number>
bool read_pairs(const std::vector<std::string>& list, std::map<std::string, Number>& into) {
    for (const std::string& text : list) {
        const std::size_t equals = text.find('=');
        try {
            std::size_t used = 0;
            const std::string value = equals == std::string::npos ? "1" : text.substr(equals + 1);
            into[text.substr(0, equals)] = static_cast<Number>(std::stoll(value, &used, 0));
            if (used != value.size() || equals == 0)
                throw std::invalid_argument(text);
        } catch (const std::exception&) {
            std::cerr << "xdna-as: " << text << " is not NAME=NUMBER\n";
            return false;
        }
    }
    return true;
}

std::string read_source(const std::string& name) {
    if (name == "-")
        return {std::istreambuf_iterator<char>(std::cin), {}};
    std::ifstream file(name, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read " + name);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_output(const std::string& name, const std::vector<std::uint8_t>& bytes) {
    const auto size = static_cast<std::streamsize>(bytes.size());
    const auto* data = reinterpret_cast<const char*>(bytes.data());
    if (name == "-") {
        std::cout.write(data, size).flush();
    } else {
        std::ofstream file(name, std::ios::binary);
        file.write(data, size).flush();
        if (!file)
            throw std::runtime_error("cannot write " + name);
    }
}

int run(Arguments& arguments) {
    if (!read_pairs(arguments.defines, arguments.options.defines) ||
        !read_pairs(arguments.symbols, arguments.link.symbols))
        return kUsage;
    arguments.options.auto_align = !arguments.no_auto_align;
    xdna::as::Diagnostics diagnostics;
    const std::string name = arguments.input == "-" ? "<stdin>" : arguments.input;
    const std::string source = read_source(arguments.input);
    const auto object = xdna::as::assemble(name, source, arguments.options, diagnostics);
    for (const auto& diagnostic : diagnostics.list())
        std::cerr << format(diagnostic);
    if (!object)
        return kFailed;
    if (!arguments.output.empty()) {
        if (arguments.kind == Output::kObject) {
            write_output(arguments.output, xdna::as::write_elf(*object));
        } else {
            const auto linked = xdna::as::link(*object, arguments.link);
            write_output(arguments.output, arguments.kind == Output::kFlat
                                               ? xdna::as::flat_program(linked)
                                               : xdna::as::write_elf(linked));
        }
    }
    return arguments.options.check_latency && !diagnostics.list().empty() ? kFailed : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("Assembles llvm-aie's assembly language for AIE2 cores.", "xdna-as");
    app.add_option("FILE", arguments.input, "source; - is standard input")->required();
    app.add_option("-o", arguments.output,
                   "where the result goes; - is standard output. Without it the source is only "
                   "checked");
    app.add_flag_callback(
        "--link", [&] { arguments.kind = Output::kExecutable; },
        "write an executable: sections have their addresses, nothing is left undefined");
    app.add_flag_callback(
        "--flat", [&] { arguments.kind = Output::kFlat; },
        "write the contents of program memory, without a container");
    app.add_option("--text", arguments.link.text_address,
                   "address of the first code in program memory (0)");
    app.add_option("--data", arguments.link.data_address,
                   "address of the first data in the core's address space (0x70000)");
    app.add_option(
        "--defsym", arguments.symbols,
        "NAME=ADDRESS: a symbol that the source leaves undefined; with --link or --flat");
    app.add_option("-D", arguments.defines, "NAME[=NUMBER]: as .equ in front of the source");
    app.add_option("-I", arguments.options.include_folders, "folder to find .include files in");
    app.add_flag(
        "--check-latency", arguments.options.check_latency,
        "warn of registers that are read before their value is there, of values and ports "
        "that collide, and of loops that are set up too late; exit with 1 if there are any");
    app.add_flag("--insert-nops", arguments.options.insert_nops,
                 "insert nops where a register would be read before its value is there");
    app.add_flag("!--no-pipeline", arguments.options.pipeline,
                 "run the iterations of .pipeline loops one after the other");
    app.add_flag("--no-auto-align", arguments.no_auto_align,
                 "do not align branch targets, return addresses and loops to 16 bytes");
    app.set_version_flag("--version", XDNA_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    try {
        return run(arguments);
    } catch (const std::exception& error) {
        std::cerr << "xdna-as: " << arguments.input << ": " << error.what() << '\n';
        return kFailed;
    }
}
