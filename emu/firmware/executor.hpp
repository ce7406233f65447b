// Runs control code on the array: loads what a launch needs into its context's columns, walks the
// operations, waits for tokens. Used by the controller's own thread only, but for the atomics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "emu/array/array.hpp"
#include "emu/firmware/context.hpp"
#include "emu/firmware/messages.hpp"
#include "emu/firmware/observers.hpp"
#include "libxdna/image/cdo.hpp"
#include "libxdna/image/transaction.hpp"

namespace xdna::emu::firmware {

/// How a launch ended.
struct Outcome {
    enum class Kind {
        kDone,       ///< with `status`
        kHung,       ///< nothing will ever answer: `problem` says who waits for what
        kCancelled,  ///< the context was destroyed meanwhile
    };
    Kind kind = Kind::kDone;
    uint32_t status = kSuccess;
    std::string problem;
};

class Executor {
  public:
    /// `report` gets the array's errors as the firmware would tell the driver of them.
    explicit Executor(std::function<void(const AsyncErrorRecord&, const std::string&)> report,
                      Observers observers = {});
    ~Executor();

    /// `index` is the launch's in its chain.
    Outcome launch(Context& context, const Launch& launch, uint32_t index = 0);
    /// The context is gone: its columns, if still its, are cleared.
    void retire(const Context& context);
    Array& array() { return array_; }

    /// Array cycles that the launch in progress has used; negative while there is none. Any thread.
    int64_t running_cycles() const { return running_.load(); }

  private:
    /// Whose configuration a column holds.
    struct Loaded {
        uint64_t context = 0;
        uint64_t pdi = 0;
    };
    using TokenKey =
        std::tuple<unsigned, unsigned, Direction, unsigned>;  // column, row, ..., channel

    /// Arguments of the control code: addresses of buffers.
    struct Program {
        uint64_t code = 0;
        uint64_t bytes = 0;
        std::vector<uint64_t> buffers;
    };

    Outcome run(Context& context, const Launch& launch);
    Outcome prepare(const Launch& launch, Program& out) const;
    Outcome load(Context& context, uint64_t pdi);
    Outcome configure(Context& context, const image::Cdo& cdo);
    Outcome release_cores(Context& context);
    Outcome walk(Context& context, const image::Transaction& code, const Program& program);
    Outcome step(Context& context, const image::txn::Operation& operation, const Program& program);
    Outcome patch(Context& context, const image::txn::DdrPatch& patch, const Program& program);
    Outcome sync(Context& context, const image::txn::Sync& sync);
    Outcome poll(Context& context, image::TileAddress at, uint32_t mask, uint32_t value);

    /// The physical address of a context's own; a done outcome that is not a success where it has
    /// no such column.
    Outcome relocate(const Context& context, uint64_t address, image::TileAddress& out) const;
    /// Lets time pass; not a success when something in the context's columns broke meanwhile.
    Outcome pass(Context& context, uint64_t cycles);
    Outcome broken(Context& context);
    void collect_tokens();
    /// On the controller's track of the trace, from `since` to now.
    void show(std::string_view what, uint64_t since, std::string_view arguments = {}) const;
    void account();
    std::string waits(const Context& context) const;

    std::function<void(const AsyncErrorRecord&, const std::string&)> report_;
    const Observers observers_;
    Array array_;
    std::array<Loaded, kColumns> loaded_{};
    std::map<TokenKey, unsigned> tokens_;
    uint64_t launched_at_ = 0;
    uint64_t last_dispatch_ = 0;
    uint64_t set_up_ = 0;  // cycles of the launch in progress before its control code
    uint64_t waited_ = 0;  // and those that the control code waited
    std::atomic<int64_t> running_{-1};
};

}  // namespace xdna::emu::firmware
