// Commands: a packet in a CMD BO, the BOs bound to it, and the two system calls.
#pragma once

#include <drm/amdxdna_accel.h>
#include <drm/drm.h>

#include <cstdint>
#include <vector>

#include "libxdna/bo.hpp"
#include "libxdna/hwctx.hpp"
#include "libxdna/packet.hpp"
#include "xdna/xdna.h"

struct xdna_cmd {
    // What submitting and waiting touch comes first. Both ioctls' structs stand ready, so that the
    // calls have nothing to build.
    uint32_t* packet = nullptr;   ///< the CMD BO
    xdna_hwctx* hwctx = nullptr;  ///< counted
    int fd = -1;                  ///< the device's
    bool is_filled = false;
    bool is_submitted = false;  ///< ever, since it was filled
    bool is_in_flight = false;  ///< as far as we know: its end may not have been seen yet
    uint32_t state = XDNA_CMD_NEW;
    amdxdna_drm_exec_cmd exec{};
    drm_syncobj_timeline_wait timeline{};

    /// The packet as it was filled: the driver overwrites a failed packet with 0xff
    /// (amdxdna_cmd_set_error), and resubmitting must just work.
    std::vector<uint32_t> words;
    uint32_t first_argument = 0;  ///< index into `words`
    xdna::Opcode opcode{};

    uint32_t refs = 1;  ///< the user's and its chain's
    xdna_bo* bo = nullptr;
    std::vector<xdna_bo*> bound;     ///< counted, each once
    std::vector<uint32_t> handles;   ///< of `bound`
    std::vector<xdna_cmd*> members;  ///< of a chain; counted
    xdna_cmd* chain = nullptr;       ///< that this one is a member of
    xdna_cmd_result result{};        ///< of the last submission that has failed
};

namespace xdna {

void unref(xdna_cmd* cmd);

/// True while the command's last submission has not ended; notices its end where it has. May cost a
/// system call.
bool is_busy(xdna_cmd* cmd);

/// Drops the packet and what it binds.
void clear(xdna_cmd* cmd);

}  // namespace xdna
