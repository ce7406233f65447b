// The server's reading of one client's requests: packets in, replies out. No sockets and no
// processes here (a Caller stands for the client), so that a fuzzer can drive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/server_files.hpp"
#include "emu/uapi/wire.hpp"

namespace xdna::emu {

class Session {
  public:
    enum class Next {
        kReply,     ///< send `reply` (and `fd`), then go on
        kContinue,  ///< nothing to send
        kAnchor,    ///< send `reply`; the connection now only stands for the process image
        kHangUp,    ///< the packet breaks the protocol: end the connection
    };
    struct Outcome {
        Next next = Next::kHangUp;
        wire::Reply reply{};
        UniqueFd fd;
    };

    /// `secret`: what a kHello must bring; both outlive the session.
    Session(Files& files, const uint64_t (&secret)[2]) : files_(files), secret_(secret) {}

    Outcome handle(std::span<const std::byte> packet, Caller& caller);

  private:
    int ioctl(const wire::Request& request, Caller& caller);
    void mmap(const wire::Request& request, Caller& caller, Outcome& outcome);
    int fdinfo(const wire::Request& request, UniqueFd& out);

    Files& files_;
    const uint64_t (&secret_)[2];
    bool greeted_ = false;
};

}  // namespace xdna::emu
