// A trace of the array in Chrome's trace event format, which ui.perfetto.dev opens. A tile is a
// process, its core and channels are threads, a lock is a counter. One cycle is shown as 1 us.
//
// Events are written as they end, so that memory stays bounded; from `limit` events on the rest is
// only counted.
#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "emu/array/geometry.hpp"

namespace xdna::emu {

class Trace {
  public:
    static constexpr uint64_t kLimit = 4'000'000;

    explicit Trace(std::ostream& out, uint64_t limit = kLimit);
    ~Trace() { finish(); }
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;

    /// The controller's track.
    static constexpr unsigned kController = kTiles;

    /// A stretch of cycles [from, to) of a tile (by index) or the controller. `track` is a name
    /// such as "core" or "MM2S 0"; `arguments` is empty, or the members of a JSON object.
    void slice(unsigned process, std::string_view track, std::string_view name, uint64_t from,
               uint64_t to, std::string_view arguments = {});
    /// A value from cycle `at` on.
    void counter(unsigned process, std::string_view name, uint64_t at, int64_t value);

    /// Events that are not in the trace.
    uint64_t left_out() const { return left_out_; }
    /// Ends the document; nothing is written after that.
    void finish();

  private:
    /// False once the limit is reached.
    bool begin(unsigned process);
    const char* separator();
    unsigned thread(unsigned process, std::string_view track);

    std::ostream& out_;
    const uint64_t limit_;
    uint64_t events_ = 0;
    uint64_t left_out_ = 0;
    bool started_ = false;
    bool finished_ = false;
    std::set<unsigned> processes_;
    std::map<std::pair<unsigned, std::string>, unsigned> threads_;
};

}  // namespace xdna::emu
