// Runs one of our kernels with AMD's XRT, the second opinion beside xdna-run.
//   xrt-run KERNEL.json INPUT... OUTPUT...   raw files, in the order of the manifest's arguments
// The manifest, the xclbin and the control code are those that the build wrote.
#include <xrt/experimental/xrt_xclbin.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_hw_context.h>
#include <xrt/xrt_kernel.h>

#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::vector<char> contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error(path.string() + ": cannot be read");
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

void run(const std::filesystem::path& path, const std::vector<std::string>& files) {
    const auto manifest = nlohmann::json::parse(std::ifstream(path));
    const auto& arguments = manifest.at("arguments");
    if (files.size() != arguments.size()) {
        throw std::runtime_error("the kernel has " + std::to_string(arguments.size()) +
                                 " arguments, not " + std::to_string(files.size()));
    }
    // The register map of a DPU kernel: opcode, control code, its words, then the buffers.
    constexpr uint64_t kOpcode = 3;
    constexpr int kFirstBuffer = 3;

    xrt::device device(0);
    const xrt::xclbin xclbin(
        (path.parent_path() / (manifest.at("name").get<std::string>() + ".xclbin")).string());
    device.register_xclbin(xclbin);
    xrt::hw_context context(device, xclbin.get_uuid());
    xrt::kernel kernel(context, xclbin.get_kernels().at(0).get_name());

    const auto code = contents(path.parent_path() / manifest.at("instructions").get<std::string>());
    xrt::bo instructions(context, code.size(), xrt::bo::flags::cacheable, kernel.group_id(1));
    instructions.write(code.data());
    instructions.sync(XCL_BO_SYNC_BO_TO_DEVICE);

    xrt::run command(kernel);
    command.set_arg(0, kOpcode);
    command.set_arg(1, instructions);
    command.set_arg(2, static_cast<uint32_t>(code.size() / sizeof(uint32_t)));
    std::vector<xrt::bo> buffers;
    for (size_t i = 0; i < files.size(); ++i) {
        const int index = kFirstBuffer + static_cast<int>(i);
        const auto bytes = arguments[i].at("bytes").get<size_t>();
        xrt::bo& buffer =
            buffers.emplace_back(context, bytes, xrt::bo::flags::host_only, kernel.group_id(index));
        std::memset(buffer.map(), 0, bytes);
        if (arguments[i].at("direction") == "in") {
            const auto data = contents(files[i]);
            if (data.size() != bytes) {
                throw std::runtime_error(files[i] + " has " + std::to_string(data.size()) +
                                         " bytes, the kernel takes " + std::to_string(bytes));
            }
            buffer.write(data.data());
        }
        buffer.sync(XCL_BO_SYNC_BO_TO_DEVICE);
        command.set_arg(index, buffer);
    }
    command.start();
    if (const auto state = command.wait(); state != ERT_CMD_STATE_COMPLETED) {
        throw std::runtime_error("the command ended in state " + std::to_string(state));
    }
    for (size_t i = 0; i < files.size(); ++i) {
        if (arguments[i].at("direction") == "out") {
            buffers[i].sync(XCL_BO_SYNC_BO_FROM_DEVICE);
            std::ofstream(files[i], std::ios::binary)
                .write(buffers[i].map<const char*>(),
                       static_cast<std::streamsize>(buffers[i].size()));
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: xrt-run KERNEL.json INPUT... OUTPUT...\n";
        return 3;
    }
    try {
        run(argv[1], {argv + 2, argv + argc});
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "xrt-run: " << error.what() << '\n';
        return 1;
    }
}
