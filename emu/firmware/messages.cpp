#include "emu/firmware/messages.hpp"

namespace xdna::emu::firmware {

const char* status_text(uint32_t status) {
    switch (status) {
        case kSuccess:
            return "success";
        case kAieStreamError:
            return "stream error";
        case kAieAccessError:
            return "access error";
        case kAieBusError:
            return "bus error";
        case kAieInstructionError:
            return "instruction error";
        case kAieLockError:
            return "lock error";
        case kAieDmaError:
            return "DMA error";
        case kMgmtNoAvail:
            return "no context available";
        case kMgmtInvalidParam:
            return "bad parameter";
        case kAppFirstError:
            return "application error";
        case kAppInvalidInstruction:
            return "invalid instruction";
        case kAppLoadPdiFail:
            return "PDI load failed";
        case kInvalidInputBuffer:
            return "bad buffer";
        case kInvalidCommand:
            return "invalid command";
        case kInvalidParam:
            return "invalid parameter";
        case kInvalidOperation:
            return "invalid operation";
        case kAsyncEventMessagesFull:
            return "too many event buffers";
        default:
            return "unknown status";
    }
}

}  // namespace xdna::emu::firmware
