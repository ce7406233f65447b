#include "tools/xdna-emu/statistics.hpp"

#include <cerrno>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace xdna::emu {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(Tile tile) {
    return {tile.column, tile.row};
}

Json to_json(const CoreActivity& core) {
    Json stalls;
    for (size_t i = 0; i < kStallNames.size(); ++i) {
        stalls[kStallNames[i]] = core.stalls[i];
    }
    stalls["bank"] = core.work.bank_stalls;
    stalls["lock operation"] = core.work.lock_cycles;
    Json instructions;
    for (size_t i = 0; i < kInstructionClassNames.size(); ++i) {
        instructions[kInstructionClassNames[i]] = core.work.instructions[i];
    }
    return {{"tile", to_json(core.tile)},
            {"cycles", core.cycles},
            {"bundles", core.work.bundles},
            {"stalls", std::move(stalls)},
            {"instructions", std::move(instructions)}};
}

// A word is moved in each cycle of `moving`.
Json to_json(const ChannelActivity& channel) {
    const DmaChannel::Counters& counters = channel.counters;
    return {{"tile", to_json(channel.tile)},
            {"channel", to_string(channel.direction, channel.channel)},
            {"bytes", 4 * counters.moving},
            {"tasks", counters.tasks},
            {"moving", counters.moving},
            {"stalls", {{"stream", counters.stream_stalls}, {"lock", counters.lock_stalls}}},
            {"other", counters.other}};
}

template <typename Rows>
Json list(const Rows& rows) {
    Json out = Json::array();
    for (const auto& row : rows) {
        if constexpr (requires { row.second; }) {
            out.push_back(to_json(row.second));
        } else {
            out.push_back(to_json(row));
        }
    }
    return out;
}

void add(CoreActivity& to, const CoreActivity& from) {
    to.tile = from.tile;
    to.cycles += from.cycles;
    for (size_t i = 0; i < to.stalls.size(); ++i) {
        to.stalls[i] += from.stalls[i];
    }
    to.work.bundles += from.work.bundles;
    to.work.bank_stalls += from.work.bank_stalls;
    to.work.lock_cycles += from.work.lock_cycles;
    for (size_t i = 0; i < to.work.instructions.size(); ++i) {
        to.work.instructions[i] += from.work.instructions[i];
    }
}

void add(ChannelActivity& to, const ChannelActivity& from) {
    to.tile = from.tile;
    to.direction = from.direction;
    to.channel = from.channel;
    to.counters.tasks += from.counters.tasks;
    to.counters.moving += from.counters.moving;
    to.counters.stream_stalls += from.counters.stream_stalls;
    to.counters.lock_stalls += from.counters.lock_stalls;
    to.counters.other += from.counters.other;
}

}  // namespace

Statistics::Statistics(const std::string& path) {
    if (path == "-") {
        return;
    }
    file_.open(path);
    if (!file_) {
        throw std::system_error(errno, std::generic_category(), path);
    }
    file_ << R"({"version":1,"device":"npu1","unit":"array cycles","commands":[)";
}

void Statistics::add(const firmware::CommandReport& report) {
    if (file_.is_open()) {
        const Json json = {{"context", report.serial},
                           {"start_column", report.start_column},
                           {"columns", report.columns},
                           {"index", report.index},
                           {"outcome", report.outcome},
                           {"start", report.start},
                           {"cycles", report.cycles},
                           {"launch", report.launch},
                           {"control", report.control},
                           {"wait", report.wait},
                           {"cores", list(report.activity.cores)},
                           {"channels", list(report.activity.channels)}};
        file_ << (commands_ == 0 ? "\n" : ",\n") << json.dump();
    }
    ++commands_;
    failed_ += report.outcome != "completed";
    cycles_ += report.cycles;
    launch_ += report.launch;
    control_ += report.control;
    wait_ += report.wait;
    for (const CoreActivity& core : report.activity.cores) {
        emu::add(cores_[core.tile.index()], core);
    }
    for (const ChannelActivity& channel : report.activity.channels) {
        emu::add(channels_[{channel.tile.index(), channel.direction, channel.channel}], channel);
    }
}

void Statistics::finish() {
    if (!file_.is_open()) {
        print();
        return;
    }
    const Json total = {{"commands", commands_}, {"failed", failed_},          {"cycles", cycles_},
                        {"launch", launch_},     {"control", control_},        {"wait", wait_},
                        {"cores", list(cores_)}, {"channels", list(channels_)}};
    file_ << "\n],\n\"total\":" << total.dump() << "}\n";
    file_.close();
    if (!file_) {
        throw std::system_error(EIO, std::generic_category(), "--stats");
    }
}

void Statistics::print() const {
    std::ostream& out = std::cerr;
    out << "xdna-emu: " << commands_ << (commands_ == 1 ? " command, " : " commands, ") << cycles_
        << " modelled cycles: launch " << launch_ << ", control code " << control_ << ", waiting "
        << wait_;
    if (failed_ != 0) {
        out << "; " << failed_ << " did not complete";
    }
    out << '\n';
    for (const auto& [tile, core] : cores_) {
        out << "  " << to_string(core.tile) << " core: " << core.cycles << " cycles, "
            << core.work.bundles << " bundles, "
            << core.work.instructions[static_cast<size_t>(InstructionClass::kMultiply)]
            << " multiplies; stalls:";
        for (size_t i = 0; i < kStallNames.size(); ++i) {
            if (core.stalls[i] != 0) {
                out << ' ' << kStallNames[i] << ' ' << core.stalls[i] << ',';
            }
        }
        out << " bank " << core.work.bank_stalls << '\n';
    }
    for (const auto& [key, channel] : channels_) {
        if (const DmaChannel::Counters& counters = channel.counters; counters.moving != 0) {
            out << "  " << to_string(channel.tile) << ' '
                << to_string(channel.direction, channel.channel) << ": " << 4 * counters.moving
                << " bytes; waited for stream " << counters.stream_stalls << ", lock "
                << counters.lock_stalls << '\n';
        }
    }
}

}  // namespace xdna::emu
