// The vfio-user protocol's server side, as QEMU's vfio-user-pci speaks it.
// Source: QEMU 11.1, docs/interop/vfio-user.rst; what QEMU does beyond its text was seen in the
// lab.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "emu/pci/device.hpp"
#include "emu/unique_fd.hpp"

namespace xdna::emu::pci {

/// Told of what a client did that the protocol does not allow; it got an errno for it.
using Complaint = std::function<void(const std::string&)>;

class VfioUserServer {
  public:
    VfioUserServer(Device& device, Complaint complain)
        : device_(device), complain_(std::move(complain)) {}

    /// Serves one client until it goes away (true), or breaks the framing (false, after a
    /// complaint). `connection` is a connected stream socket.
    bool serve(UniqueFd connection);

  private:
    struct Reply {
        int error = 0;
        std::vector<std::byte> body{};
        int descriptor = -1;  ///< sent along
    };
    class Request;

    bool answer_all();
    Reply handle(Request& request);
    Reply version(Request& request);
    Reply map(Request& request);
    Reply unmap(Request& request);
    Reply device_info();
    Reply region_info(Request& request);
    Reply interrupt_info(Request& request);
    Reply set_interrupts(Request& request);
    Reply read_region(Request& request);
    Reply write_region(Request& request);
    Reply refuse(int error, const std::string& why);

    /// False at the end of the stream.
    bool receive(void* to, size_t size, std::vector<UniqueFd>& descriptors);
    bool send(const void* data, size_t size, int descriptor);

    Device& device_;
    Complaint complain_;
    UniqueFd connection_;
};

}  // namespace xdna::emu::pci
