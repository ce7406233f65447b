// A C++20 program against the installed library.
#include <cerrno>
#include <cstdio>
#include <xdna/xdna.hpp>

int main() {
    std::printf("%zu NPU(s)\n", xdna::Device::list().size());
    try {
        const xdna::Device device("/dev/null");
    } catch (const xdna::Error& error) {
        std::puts(error.what());
        return error.code() == EINVAL ? 0 : 1;
    }
    return 1;
}
