#include "emu/array/activity.hpp"

namespace xdna::emu {
namespace {

template <size_t N>
std::array<uint64_t, N> minus(std::array<uint64_t, N> a, const std::array<uint64_t, N>& b) {
    for (size_t i = 0; i < N; ++i) {
        a[i] -= b[i];
    }
    return a;
}

}  // namespace

Activity Activity::since(const Activity& before) const {
    Activity out;
    for (size_t i = 0; i < cores.size(); ++i) {
        CoreActivity core = cores[i];
        const CoreActivity& old = before.cores[i];
        core.cycles -= old.cycles;
        core.stalls = minus(core.stalls, old.stalls);
        core.work.bundles -= old.work.bundles;
        core.work.instructions = minus(core.work.instructions, old.work.instructions);
        core.work.bank_stalls -= old.work.bank_stalls;
        core.work.lock_cycles -= old.work.lock_cycles;
        if (core.cycles != 0) {
            out.cores.push_back(core);
        }
    }
    for (size_t i = 0; i < channels.size(); ++i) {
        ChannelActivity channel = channels[i];
        DmaChannel::Counters& now = channel.counters;
        const DmaChannel::Counters& old = before.channels[i].counters;
        now.tasks -= old.tasks;
        now.moving -= old.moving;
        now.stream_stalls -= old.stream_stalls;
        now.lock_stalls -= old.lock_stalls;
        now.other -= old.other;
        if (now.moving + now.stream_stalls + now.lock_stalls + now.other != 0) {
            out.channels.push_back(channel);
        }
    }
    return out;
}

}  // namespace xdna::emu
