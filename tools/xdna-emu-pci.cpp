// xdna-emu-pci: a virtual NPU as a PCI function, for QEMU's vfio-user-pci.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <mutex>
#include <string>
#include <system_error>

#include "emu/pci/npu.hpp"
#include "emu/pci/vfio_user.hpp"

namespace {

using xdna::emu::UniqueFd;

UniqueFd listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::unlink(path.c_str());
    if (!listener ||
        ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 1) != 0) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    return listener;
}

int serve(const std::string& path) {
    std::mutex mutex;
    const auto say = [&mutex](bool error, const std::string& line) {
        const std::lock_guard lock(mutex);
        std::cerr << "xdna-emu-pci: " << (error ? "error: " : "") << line << std::endl;
    };
    xdna::emu::pci::Npu npu(say);
    xdna::emu::pci::VfioUserServer server(
        npu, [&say](const std::string& what) { say(true, "client: " + what); });
    const UniqueFd listener = listen_at(path);
    UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ::unlink(path.c_str());
    if (!connection) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    return server.serve(std::move(connection)) ? 0 : 1;
}

int run(int argc, char** argv) {
    CLI::App app{
        "Serves a virtual NPU on SOCKET to one client (QEMU's vfio-user-pci), and ends with it.",
        "xdna-emu-pci"};
    std::string path;
    app.set_version_flag("--version", XDNA_VERSION);
    app.add_option("socket", path, "the socket to listen on")->required();
    CLI11_PARSE(app, argc, argv);
    // Whoever started the lab is gone: so are we.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    return serve(path);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "xdna-emu-pci: %s\n", error.what());
        return 1;
    }
}
