// Calls to the server, each over the calling thread's own connection.
#pragma once

#include "emu/uapi/wire.hpp"

namespace xdna::emu::door {

struct Answer {
    long result = 0;  ///< 0 or more, or a negative errno; -ENODEV when the server has gone
    wire::Reply reply{};
    int fd = -1;  ///< what came with it; the receiver's to close
};

/// A signal that ends the system call of a real driver ends this one with -EINTR; one whose handler
/// was installed with SA_RESTART does not.
Answer call(wire::Op op, uint64_t file = 0, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0,
            uint64_t d = 0);

/// Ties the mappings made from here on to this process image: the server hears of its end.
void hold_anchor();

/// True if `fd` is one of the door's own descriptors, which the program did not open and does not
/// close.
bool is_hidden(int fd);
/// A duplicate of `fd` out of the program's way, closed by exec; negative errno.
int hide(int fd);
void close_hidden(int fd);

/// In the child of a fork: the parent's connections are not ours.
void forget_connections();

}  // namespace xdna::emu::door
