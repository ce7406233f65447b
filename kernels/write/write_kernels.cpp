// Writes every kernel's files into a folder, a step of the build: NAME.pdi (the set-up),
// NAME.xclbin (the same for XRT), NAME.insts.bin (control code for one shape), NAME.json (what they
// take).
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

#include "kernels/catalog.hpp"
#include "libxdna/image/xclbin_recipe.hpp"

namespace {

namespace image = xdna::image;

void write(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

nlohmann::json manifest_of(const xdna::kernels::Kernel& kernel, int columns,
                           const std::vector<xdna::kernels::Argument>& arguments) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& argument : arguments) {
        nlohmann::json row = {{"name", argument.name},
                              {"direction", argument.output ? "out" : "in"},
                              {"bytes", argument.bytes},
                              {"type", name_of(argument.tensor.type)}};
        if (!argument.tensor.shape.empty()) {
            row["shape"] = argument.tensor.shape;
            row["padded"] = argument.tensor.padded;
        }
        list.push_back(row);
    }
    const xdna::kernels::Shape shape = kernel.example();
    nlohmann::json problem = nlohmann::json::object();
    for (const auto& row : xdna::kernels::kShapeMembers) {
        std::visit(
            [&](auto member) {
                if (shape.*member != 0) {
                    problem[row.name] = shape.*member;
                }
            },
            row.member);
    }
    const std::string name(kernel.name());
    return {{"problem", problem},
            {"name", name},
            {"summary", kernel.summary()},
            {"takes", xdna::kernels::shape_help(kernel)},
            {"columns", columns},
            {"pdi", name + ".pdi"},
            {"instructions", name + ".insts.bin"},
            {"arguments", list}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: write_kernels FOLDER\n";
        return 3;
    }
    try {
        const std::filesystem::path folder = argv[1];
        std::filesystem::create_directories(folder);
        for (const xdna::kernels::Kernel* kernel : xdna::kernels::catalog()) {
            const auto design = kernel->design();
            const auto command = kernel->command(kernel->example());
            const image::Bytes pdi = design.pdi();
            const auto recipe = image::transaction_recipe(
                pdi, static_cast<uint16_t>(design.columns()), command.arguments.size());
            const std::string manifest =
                manifest_of(*kernel, design.columns(), command.arguments).dump(2) + "\n";
            const std::string name(kernel->name());
            write(folder / (name + ".pdi"), pdi);
            write(folder / (name + ".xclbin"), image::serialize(image::make_xclbin(recipe)));
            write(folder / (name + ".insts.bin"), command.code);
            write(folder / (name + ".json"),
                  {reinterpret_cast<const uint8_t*>(manifest.data()), manifest.size()});
        }
        return 0;
    } catch (const std::exception& e) {
        std::cerr << "write_kernels: " << e.what() << "\n";
        return 1;
    }
}
