// xdna-objdump: disassembles AIE2 code in ELF files, flat programs, PDIs and xclbins.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/as/cores.hpp"
#include "kernels/as/disassemble.hpp"
#include "kernels/as/object.hpp"
#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/xclbin.hpp"

namespace {

namespace as = xdna::as;
namespace image = xdna::image;

constexpr int kFailed = 1;
constexpr int kUsage = 3;

struct Arguments {
    std::vector<std::string> files;
    bool flat = false;
    bool source = false;
    std::uint32_t address = 0;
};

std::vector<std::uint8_t> read_file(const std::string& name) {
    if (name == "-")
        return {std::istreambuf_iterator<char>(std::cin), {}};
    std::ifstream file(name, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read it");
    return {std::istreambuf_iterator<char>(file), {}};
}

/// One executable section, so that code without a container is printed like the rest.
as::Object as_object(std::span<const std::uint8_t> code, std::uint32_t address) {
    as::Object object;
    object.linked = true;
    as::ObjectSection& section = object.sections.emplace_back();
    section.name = ".text";
    section.flags = as::kAllocate | as::kExecute;
    section.address = address;
    section.size = static_cast<std::uint32_t>(code.size());
    section.bytes.assign(code.begin(), code.end());
    return object;
}

/// Prints; returns how many bytes of code are no bundles.
std::size_t print(const as::Object& object, const Arguments& arguments) {
    std::cout << (arguments.source ? as::source(object) : as::listing(object));
    return as::undecodable_bytes(object);
}

std::size_t print_cores(const image::Pdi& pdi, const Arguments& arguments) {
    std::size_t bad = 0;
    const auto cores = as::core_programs(pdi);
    if (cores.empty())
        std::cout << "no program for any core\n";
    for (const as::CoreProgram& core : cores) {
        as::Object object;
        object.linked = true;
        for (const as::CodePiece& piece : core.pieces)
            object.sections.push_back(as_object(piece.bytes, piece.address).sections[0]);
        std::cout << (arguments.source ? "// " : "\n") << "core in column " << core.column
                  << ", row " << core.row << (arguments.source ? "\n" : ":\n");
        bad += print(object, arguments);
    }
    return bad;
}

image::Pdi parse_pdi(std::span<const std::uint8_t> bytes) {
    try {
        return image::parse_pdi(bytes);
    } catch (const image::FormatError& error) {
        throw std::runtime_error(
            "neither ELF nor xclbin, and as a PDI: " + std::string(error.what()) +
            "; --flat takes program memory without a container");
    }
}

std::size_t dump(const std::string& name, const Arguments& arguments) {
    const auto bytes = read_file(name);
    if (!arguments.source)
        std::cout << name << ":\n";
    if (arguments.flat)
        return print(as_object(bytes, arguments.address), arguments);
    if (as::is_elf(bytes))
        return print(as::read_elf(bytes), arguments);
    if (!image::looks_like_xclbin(bytes))
        return print_cores(parse_pdi(bytes), arguments);
    const auto xclbin = image::parse_xclbin(bytes);
    const auto* section = xclbin.section(image::SectionKind::kAiePartition);
    if (section == nullptr)
        throw std::runtime_error("the xclbin has no AIE_PARTITION section, and so no code");
    std::size_t bad = 0;
    for (const auto& pdi : image::parse_aie_partition(section->data).pdis) {
        std::cout << (arguments.source ? "// " : "\n") << "PDI " << image::to_string(pdi.uuid)
                  << '\n';
        bad += print_cores(image::parse_pdi(pdi.image), arguments);
    }
    return bad;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app(
        "Disassembles AIE2 code: ELF objects and executables, flat programs, and the cores that a "
        "PDI or an xclbin loads.",
        "xdna-objdump");
    app.add_option("FILE", arguments.files, "files; - is standard input")->required();
    app.add_flag("--flat", arguments.flat, "the files are program memory, without a container");
    app.add_option("--address", arguments.address, "address of the first byte of a flat file (0)");
    app.add_flag("--source", arguments.source,
                 "print source that xdna-as turns into the same bytes again");
    app.set_version_flag("--version", XDNA_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    int status = 0;
    for (const std::string& name : arguments.files) {
        try {
            const std::size_t bad = dump(name, arguments);
            if (bad != 0) {
                std::cerr << "xdna-objdump: " << name << ": " << bad
                          << " bytes of code are no AIE2 bundles\n";
                status = kFailed;
            }
        } catch (const std::exception& error) {
            std::cout.flush();
            std::cerr << "xdna-objdump: " << name << ": " << error.what() << '\n';
            status = kFailed;
        }
    }
    return status;
}
