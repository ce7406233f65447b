#include "emu/array/trace.hpp"

#include <array>

namespace xdna::emu {
namespace {

// Names are the model's own but for what they quote of a program.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + '"';
}

std::string process_name(unsigned process) {
    if (process == Trace::kController) {
        return "controller";
    }
    const Tile tile = tile_of(process);
    constexpr std::array kNames = {" shim", " memory tile", " core tile"};
    return to_string(tile) + kNames[static_cast<size_t>(tile.kind())];
}

}  // namespace

Trace::Trace(std::ostream& out, uint64_t limit) : out_(out), limit_(limit) {
    out_ << R"({"displayTimeUnit":"ns","otherData":{"time":"1 us is one array cycle"},)"
         << R"("traceEvents":[)";
}

const char* Trace::separator() {
    return std::exchange(started_, true) ? ",\n" : "\n";
}

bool Trace::begin(unsigned process) {
    if (finished_ || events_ == limit_) {
        left_out_ += finished_ ? 0 : 1;
        return false;
    }
    ++events_;
    if (processes_.insert(process).second) {
        out_ << separator() << R"({"ph":"M","name":"process_name","pid":)" << process
             << R"(,"args":{"name":)" << quoted(process_name(process)) << "}}";
        out_ << separator() << R"({"ph":"M","name":"process_sort_index","pid":)" << process
             << R"(,"args":{"sort_index":)" << (process == kController ? 0 : process + 1) << "}}";
    }
    return true;
}

unsigned Trace::thread(unsigned process, std::string_view track) {
    const auto [at, fresh] =
        threads_.try_emplace({process, std::string(track)}, static_cast<unsigned>(threads_.size()));
    if (fresh) {
        out_ << separator() << R"({"ph":"M","name":"thread_name","pid":)" << process << R"(,"tid":)"
             << at->second << R"(,"args":{"name":)" << quoted(track) << "}}";
    }
    return at->second;
}

void Trace::slice(unsigned process, std::string_view track, std::string_view name, uint64_t from,
                  uint64_t to, std::string_view arguments) {
    if (!begin(process)) {
        return;
    }
    const unsigned id = thread(process, track);
    out_ << separator() << R"({"ph":"X","name":)" << quoted(name) << R"(,"pid":)" << process
         << R"(,"tid":)" << id << R"(,"ts":)" << from << R"(,"dur":)" << to - from;
    if (!arguments.empty()) {
        out_ << R"(,"args":{)" << arguments << '}';
    }
    out_ << '}';
}

void Trace::counter(unsigned process, std::string_view name, uint64_t at, int64_t value) {
    if (!begin(process)) {
        return;
    }
    out_ << separator() << R"({"ph":"C","name":)" << quoted(name) << R"(,"pid":)" << process
         << R"(,"ts":)" << at << R"(,"args":{"value":)" << value << "}}";
}

void Trace::finish() {
    if (finished_) {
        return;
    }
    finished_ = true;
    out_ << "\n]";
    if (left_out_ != 0) {
        out_ << R"(,"xdna_left_out_events":)" << left_out_;
    }
    out_ << "}\n";
    out_.flush();
}

}  // namespace xdna::emu
