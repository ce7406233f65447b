// Writes every kernel's files into a folder: NAME.pdi, NAME.xclbin, NAME.json. A step of the build.
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

// Any command will do to see which buffers a kernel has.
xdna::kernels::Command smallest_command(const xdna::kernels::Kernel& kernel) {
    return kernel.command({.bytes = 4, .rows = 1, .columns = 1});
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
            const auto command = smallest_command(*kernel);
            const image::Bytes pdi = design.pdi();
            const auto recipe = image::transaction_recipe(
                pdi, static_cast<uint16_t>(design.columns()), command.arguments.size());
            nlohmann::json arguments = nlohmann::json::array();
            for (const auto& argument : command.arguments) {
                arguments.push_back(
                    {{"name", argument.name}, {"direction", argument.output ? "out" : "in"}});
            }
            const std::string manifest = nlohmann::json{{"name", kernel->name()},
                                                        {"summary", kernel->summary()},
                                                        {"shape", kernel->shape_help()},
                                                        {"columns", design.columns()},
                                                        {"arguments", arguments}}
                                             .dump(2) +
                                         "\n";
            const std::string name(kernel->name());
            write(folder / (name + ".pdi"), pdi);
            write(folder / (name + ".xclbin"), image::serialize(image::make_xclbin(recipe)));
            write(folder / (name + ".json"),
                  {reinterpret_cast<const uint8_t*>(manifest.data()), manifest.size()});
        }
        return 0;
    } catch (const std::exception& e) {
        std::cerr << "write_kernels: " << e.what() << "\n";
        return 1;
    }
}
