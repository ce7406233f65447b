#include "emu/firmware/executor.hpp"

#include <algorithm>

#include "emu/array/timing.hpp"
#include "emu/core/core.hpp"
#include "emu/firmware/pdi_reader.hpp"
#include "libxdna/image/overloaded.hpp"
#include "libxdna/image/pdi.hpp"

namespace xdna::emu::firmware {

namespace {

using image::TileAddress;

/// The register map that START_CU hands over: opcode, code and its words, then buffers
/// (notes/formats.md 1.5; Xilinx/mlir-aie python/compiler/aiecc/main.py).
constexpr uint64_t kRunTransaction = 3;
constexpr size_t kFirstBuffer = 5;
constexpr uint64_t kMaxCode = 64ULL << 20;
/// A slice of array time after which the controller looks whether it is still wanted.
constexpr uint64_t kSlice = 50'000;
/// CDO polls and fills stay within these.
constexpr uint64_t kCdoPoll = 1'000'000;
constexpr uint32_t kMaxFill = 1U << 20;
constexpr uint32_t kCoreControl = 0x32000;
constexpr uint32_t kCoreEnable = 1;
constexpr uint32_t kCoreReset = 2;

Outcome failed(uint32_t status, std::string problem) {
    return {Outcome::Kind::kDone, status, std::move(problem)};
}

bool good(const Outcome& outcome) {
    return outcome.kind == Outcome::Kind::kDone && outcome.status == kSuccess;
}

uint32_t status_of(const Fault& fault) {
    switch (fault.kind) {
        case FaultKind::kBadDescriptor:
        case FaultKind::kHostMemory:
            return kAieDmaError;
        case FaultKind::kBadMemory:
            return kAieAccessError;
        case FaultKind::kBadRoute:
            return kAieStreamError;
        default:
            return fault.tile.kind() == TileKind::kCore ? kAieInstructionError : kInvalidOperation;
    }
}

/// The event by which hardware would tell of an error (linux aie2_error.c names them).
AsyncErrorRecord event_of(const Fault& fault) {
    AsyncErrorRecord record{};
    record.row = fault.tile.row;
    record.col = fault.tile.column;
    const bool stream = fault.kind == FaultKind::kBadRoute;
    const bool dma =
        fault.kind == FaultKind::kBadDescriptor || fault.kind == FaultKind::kHostMemory;
    switch (fault.tile.kind()) {
        case TileKind::kShim:
            record.module = 2;
            record.event_id = stream ? 65 : 72;
            break;
        case TileKind::kMem:
            record.module = 0;
            record.event_id = stream ? 135 : 133;
            break;
        case TileKind::kCore:
            record.module = dma ? 0 : 1;
            record.event_id = dma                                    ? 97
                              : stream                               ? 56
                              : fault.kind == FaultKind::kBadMemory  ? 60
                              : fault.kind == FaultKind::kCoreHalted ? 65
                                                                     : 59;
            break;
    }
    return record;
}

bool starts_task(const TileAddress& at) {
    // The four task queues of a shim (AM025).
    return at.row == 0 && (at.offset == 0x1D204 || at.offset == 0x1D20C || at.offset == 0x1D214 ||
                           at.offset == 0x1D21C);
}

uint64_t join(uint32_t low, uint32_t high) {
    return uint64_t{high} << 32 | low;
}

}  // namespace

Executor::Executor(std::function<void(const AsyncErrorRecord&, const std::string&)> report,
                   Observers observers)
    : report_(std::move(report)), observers_(std::move(observers)) {
    array_.plug_cores(make_core);
    array_.show(observers_.trace);
}

Executor::~Executor() {
    array_.show(nullptr);
}

void Executor::account() {
    running_ = static_cast<int64_t>(array_.cycle() - launched_at_);
}

Outcome Executor::launch(Context& context, const Launch& launch, uint32_t index) {
    launched_at_ = array_.cycle();
    last_dispatch_ = 0;
    set_up_ = 0;
    waited_ = 0;
    running_ = 0;
    Activity before;
    if (observers_.report) {
        before = array_.activity(context.start_column, context.columns);
    }
    Outcome outcome = run(context, launch);
    running_ = -1;
    const bool done = outcome.kind == Outcome::Kind::kDone;
    CommandReport report{.context = context.id,
                         .serial = context.serial,
                         .index = index,
                         .start_column = context.start_column,
                         .columns = context.columns,
                         .outcome = good(outcome)                          ? "completed"
                                    : done                                 ? "error"
                                    : outcome.kind == Outcome::Kind::kHung ? "hung"
                                                                           : "cancelled",
                         .start = launched_at_,
                         .cycles = array_.cycle() - launched_at_,
                         .launch = set_up_,
                         .control = 0,
                         .wait = waited_,
                         .activity = {}};
    report.control = report.cycles - report.launch - report.wait;
    show("command", launched_at_,
         "\"context\":" + std::to_string(context.id) + ",\"index\":" + std::to_string(index));
    if (observers_.report) {
        report.activity = array_.activity(context.start_column, context.columns).since(before);
        observers_.report(report);
    }
    return outcome;
}

void Executor::show(std::string_view what, uint64_t since, std::string_view arguments) const {
    if (observers_.trace != nullptr) {
        observers_.trace->slice(Trace::kController, "commands", what, since, array_.cycle(),
                                arguments);
    }
}

Outcome Executor::run(Context& context, const Launch& launch) {
    if (launch.cu >= context.cus.size()) {
        return failed(kInvalidParam, "it is for CU " + std::to_string(launch.cu) + ", and " +
                                         std::to_string(context.cus.size()) + " are configured");
    }
    Program program;
    Outcome step = prepare(launch, program);
    if (!good(step)) {
        return step;
    }
    constexpr uint64_t kAddressBits = (1U << 17) - 1;
    step = load(context, (context.cus[launch.cu] & kAddressBits) << 15);
    if (!good(step)) {
        return step;
    }
    std::vector<uint8_t> bytes(program.bytes);
    if (!context.memory.read(program.code, bytes.data(), bytes.size())) {
        return failed(kInvalidInputBuffer, "its " + std::to_string(program.bytes) +
                                               " bytes of control code at " +
                                               image::hex(program.code) + " are not mapped");
    }
    image::Transaction code;
    try {
        code = image::parse_transaction(bytes);
    } catch (const image::FormatError& error) {
        return failed(kAppInvalidInstruction, error.what());
    }
    return walk(context, code, program);
}

Outcome Executor::prepare(const Launch& launch, Program& out) const {
    if (launch.kind == Launch::Kind::kInstructions) {
        out.code = launch.code;
        out.bytes = launch.bytes;
    } else {
        const auto& words = launch.arguments;
        if (words.size() < kFirstBuffer) {
            return failed(kInvalidParam, "its register map has " + std::to_string(words.size()) +
                                             " words, a kernel's has 5 and more");
        }
        const uint64_t opcode = join(words[0], words[1]);
        if (opcode != kRunTransaction) {
            return failed(kAppInvalidInstruction, "opcode " + std::to_string(opcode) +
                                                      ": only 3, run a transaction, is modelled");
        }
        out.code = join(words[2], words[3]);
        out.bytes = uint64_t{words[4]} * sizeof(uint32_t);
        for (size_t i = kFirstBuffer; i + 1 < words.size(); i += 2) {
            out.buffers.push_back(join(words[i], words[i + 1]));
        }
    }
    return out.bytes <= kMaxCode
               ? Outcome{}
               : failed(kInvalidParam, std::to_string(out.bytes) + " bytes of control code");
}

Outcome Executor::load(Context& context, uint64_t pdi) {
    const auto* first = loaded_.data() + context.start_column;
    if (std::all_of(first, first + context.columns, [&](const Loaded& column) {
            return column.context == context.serial && column.pdi == pdi;
        })) {
        return {};
    }
    std::vector<uint8_t> bytes;
    std::string problem;
    if (!read_pdi(context.memory, pdi, context.memory.left_in_heap(pdi), bytes, problem)) {
        return failed(kAppLoadPdiFail, "PDI at " + image::hex(pdi) + ": " + problem);
    }
    image::Pdi image;
    try {
        image = image::parse_pdi(bytes);
    } catch (const image::FormatError& error) {
        return failed(kAppLoadPdiFail, "PDI at " + image::hex(pdi) + ": " + error.what());
    }
    array_.reset_partition(context.start_column, context.columns);
    array_.attach_host_memory(context.start_column, context.columns, &context.memory);
    std::erase_if(tokens_, [&](const auto& entry) {
        const unsigned column = std::get<0>(entry.first);
        return column - context.start_column < context.columns;
    });
    for (uint32_t i = 0; i < context.columns; ++i) {
        loaded_[context.start_column + i] = {context.serial, 0};
    }
    const auto parts = image::cdos(image);
    if (parts.empty()) {
        return failed(kAppLoadPdiFail, "PDI at " + image::hex(pdi) + ": it has no CDO");
    }
    for (const image::Cdo* cdo : parts) {
        if (Outcome outcome = configure(context, *cdo); !good(outcome)) {
            return outcome;
        }
    }
    for (uint32_t i = 0; i < context.columns; ++i) {
        loaded_[context.start_column + i].pdi = pdi;
    }
    return release_cores(context);
}

Outcome Executor::configure(Context& context, const image::Cdo& cdo) {
    using namespace image::cdo;
    for (size_t i = 0; i < cdo.commands.size(); ++i) {
        bool end = false;
        Outcome outcome;
        const auto at = [&](uint64_t address, const auto& act) {
            TileAddress target;
            outcome = relocate(context, address, target);
            if (good(outcome)) {
                if (const auto fault = act(target)) {
                    outcome = failed(kAppLoadPdiFail, fault->what);
                }
            }
        };
        std::visit(
            Overloaded{
                [&](const Write& c) {
                    at(c.address, [&](TileAddress t) { return array_.write(t, c.value); });
                },
                [&](const MaskWrite& c) {
                    at(c.address,
                       [&](TileAddress t) { return array_.mask_write(t, c.value, c.mask); });
                },
                [&](const MaskPoll& c) {
                    at(c.address, [&](TileAddress t) -> std::optional<Fault> {
                        const RunResult run = array_.poll(t, c.mask, c.value, kCdoPoll);
                        if (run.stop != Stop::kMatched) {
                            outcome = failed(kAppLoadPdiFail,
                                             "the register never has " + image::hex(c.value));
                        }
                        return std::nullopt;
                    });
                },
                [&](const Delay& c) { outcome = pass(context, c.cycles); },
                [&](const DmaWrite& c) {
                    at(c.address, [&](TileAddress t) { return array_.write_block(t, c.data); });
                },
                [&](const Fill& c) {
                    if (c.words > kMaxFill) {
                        outcome = failed(kAppLoadPdiFail,
                                         "a fill of " + std::to_string(c.words) + " words");
                        return;
                    }
                    const image::Words words(c.words, c.value);
                    at(c.address, [&](TileAddress t) { return array_.write_block(t, words); });
                },
                [&](const Nop&) {}, [&](const EndMark&) { end = true; },
                [&](const auto&) {
                    outcome =
                        failed(kAppLoadPdiFail, "the command is not one that NPU images contain");
                }},
            cdo.commands[i].body);
        if (!good(outcome)) {
            const uint16_t code = opcode(cdo.commands[i]);
            outcome.status = kAppLoadPdiFail;
            outcome.problem = "CDO command " + std::to_string(i) + " (" +
                              std::string(opcode_name(code)) + "): " + outcome.problem;
            return outcome;
        }
        if (end) {
            break;
        }
    }
    return {};
}

Outcome Executor::release_cores(Context& context) {
    // A CDO leaves cores enabled and in reset; the firmware takes the reset away at launch
    // (FIM43-Redeye/xdna-emu, 2026-07-03-sp4a-core-reset-mechanism-part1).
    for (uint32_t column = 0; column < context.columns; ++column) {
        for (uint32_t row = 2; row < kRows; ++row) {
            const TileAddress at{context.start_column + column, row, kCoreControl};
            uint32_t value = 0;
            auto fault = array_.read(at, value);
            if (!fault && (value & (kCoreEnable | kCoreReset)) == (kCoreEnable | kCoreReset)) {
                fault = array_.write(at, value & ~kCoreReset);
            }
            if (fault) {
                return failed(kAppLoadPdiFail, fault->what);
            }
        }
    }
    return {};
}

Outcome Executor::walk(Context& context, const image::Transaction& code, const Program& program) {
    Outcome outcome = pass(context, timing::kLaunch);
    set_up_ = array_.cycle() - launched_at_;
    show("launch", launched_at_);
    for (size_t i = 0; i < code.operations.size() && good(outcome); ++i) {
        const uint64_t start = array_.cycle();
        outcome = pass(context, timing::kOperation);
        if (good(outcome)) {
            outcome = step(context, code.operations[i], program);
        }
        show(image::txn::opcode_name(image::txn::opcode(code.operations[i])), start,
             "\"operation\":" + std::to_string(i));
        if (!good(outcome) && outcome.kind != Outcome::Kind::kCancelled) {
            outcome.problem =
                "operation " + std::to_string(i) + " (" +
                std::string(image::txn::opcode_name(image::txn::opcode(code.operations[i]))) +
                "): " + outcome.problem;
        }
    }
    return outcome;
}

Outcome Executor::relocate(const Context& context, uint64_t address, TileAddress& out) const {
    out = TileAddress::decode(static_cast<uint32_t>(address));
    if (address > UINT32_MAX || out.column >= context.columns) {
        return failed(kInvalidParam, "address " + image::hex(address) + " is in column " +
                                         std::to_string(address >> 25) + " of a context with " +
                                         std::to_string(context.columns));
    }
    out.column += context.start_column;
    return {};
}

Outcome Executor::step(Context& context, const image::txn::Operation& operation,
                       const Program& program) {
    using namespace image::txn;
    const auto at = [&](uint64_t address, const auto& act) -> Outcome {
        TileAddress target;
        Outcome outcome = relocate(context, address, target);
        if (!good(outcome)) {
            return outcome;
        }
        if (starts_task(target)) {
            // Task starts are that far apart, whatever else stands between them.
            const uint64_t due = last_dispatch_ + timing::kTaskDispatch;
            if (last_dispatch_ != 0 && array_.cycle() < due) {
                outcome = pass(context, due - array_.cycle());
                if (!good(outcome)) {
                    return outcome;
                }
            }
            last_dispatch_ = array_.cycle();
        }
        if (const auto fault = act(target)) {
            return failed(status_of(*fault), fault->what);
        }
        return {};
    };
    const auto wait = [&](const auto& until) {
        const uint64_t since = array_.cycle();
        Outcome outcome = until();
        waited_ += array_.cycle() - since;
        return outcome;
    };
    return std::visit(
        Overloaded{
            [&](const Write& op) {
                return at(op.address, [&](TileAddress t) { return array_.write(t, op.value); });
            },
            [&](const BlockWrite& op) {
                return at(op.address,
                          [&](TileAddress t) { return array_.write_block(t, op.data); });
            },
            [&](const MaskWrite& op) {
                return at(op.address,
                          [&](TileAddress t) { return array_.mask_write(t, op.value, op.mask); });
            },
            [&](const MaskPoll& op) {
                TileAddress target;
                Outcome outcome = relocate(context, op.address, target);
                return good(outcome)
                           ? wait([&] { return poll(context, target, op.mask, op.value); })
                           : outcome;
            },
            [&](const Noop&) { return Outcome{}; },
            [&](const Preempt&) { return Outcome{}; },  // npu1 runs one context at a time
            [&](const Sync& op) { return wait([&] { return sync(context, op); }); },
            [&](const DdrPatch& op) { return patch(context, op, program); },
            [&](const Sized& op) {
                // A timer or register dump for a debugger; a merged sync would have to wait.
                return op.opcode == kMergeSync
                           ? failed(kAppInvalidInstruction, "not one that npu1's firmware runs")
                           : Outcome{};
            },
            [&](const auto&) {
                return failed(kAppInvalidInstruction, "not one that npu1's firmware runs");
            }},
        operation.body);
}

Outcome Executor::patch(Context& context, const image::txn::DdrPatch& patch,
                        const Program& program) {
    if (patch.argument >= program.buffers.size()) {
        return failed(kInvalidParam, "buffer " + std::to_string(patch.argument) + " of " +
                                         std::to_string(program.buffers.size()) + " given");
    }
    TileAddress bd;
    if (Outcome outcome = relocate(context, patch.address & ~uint64_t{0xf}, bd); !good(outcome)) {
        return outcome;
    }
    uint32_t words[2] = {};
    for (uint32_t i = 0; i < 2; ++i) {
        TileAddress word = bd;
        word.offset += 4 * (i + 1);
        if (const auto fault = array_.read(word, words[i])) {
            return failed(status_of(*fault), fault->what);
        }
    }
    image::add_to_shim_bd_address(
        words[0], words[1],
        program.buffers[patch.argument] + patch.offset + image::kHostMemoryOffset);
    for (uint32_t i = 0; i < 2; ++i) {
        TileAddress word = bd;
        word.offset += 4 * (i + 1);
        if (const auto fault = array_.write(word, words[i])) {
            return failed(status_of(*fault), fault->what);
        }
    }
    return {};
}

Outcome Executor::sync(Context& context, const image::txn::Sync& sync) {
    if (sync.rows == 0 || sync.columns == 0 || sync.column + sync.columns > context.columns ||
        sync.row + sync.rows > kRows) {
        return failed(kInvalidParam,
                      "tiles (" + std::to_string(sync.column) + "," + std::to_string(sync.row) +
                          "), " + std::to_string(sync.columns) + " x " + std::to_string(sync.rows) +
                          ", of a context with " + std::to_string(context.columns) + " columns");
    }
    const Direction direction = sync.direction == 0 ? Direction::kS2mm : Direction::kMm2s;
    std::vector<TokenKey> wanted;
    for (unsigned column = 0; column < sync.columns; ++column) {
        for (unsigned row = 0; row < sync.rows; ++row) {
            wanted.emplace_back(context.start_column + sync.column + column, sync.row + row,
                                direction, sync.channel);
        }
    }
    while (true) {
        collect_tokens();
        const auto here = [&](const TokenKey& key) {
            const auto found = tokens_.find(key);
            return found != tokens_.end() && found->second != 0;
        };
        if (std::all_of(wanted.begin(), wanted.end(), here)) {
            for (const TokenKey& key : wanted) {
                --tokens_[key];
            }
            return {};
        }
        const RunResult run = array_.run_until_token(kSlice);
        account();
        if (context.destroyed) {
            return {Outcome::Kind::kCancelled, kSuccess, {}};
        }
        if (run.stop == Stop::kFault) {
            if (Outcome outcome = broken(context); !good(outcome)) {
                return outcome;
            }
        }
        if (run.stop == Stop::kQuiescent) {
            return {Outcome::Kind::kHung, kSuccess,
                    "no token will come: nothing in the array can move" + waits(context)};
        }
    }
}

Outcome Executor::poll(Context& context, TileAddress at, uint32_t mask, uint32_t value) {
    while (true) {
        const RunResult run = array_.poll(at, mask, value, kSlice);
        account();
        if (context.destroyed) {
            return {Outcome::Kind::kCancelled, kSuccess, {}};
        }
        switch (run.stop) {
            case Stop::kMatched:
                return {};
            case Stop::kFault:
                if (Outcome outcome = broken(context); !good(outcome)) {
                    return outcome;
                }
                break;
            case Stop::kQuiescent:
                return {Outcome::Kind::kHung, kSuccess,
                        "the register never gets the value: nothing in the array can move" +
                            waits(context)};
            default:
                break;
        }
    }
}

Outcome Executor::pass(Context& context, uint64_t cycles) {
    const uint64_t until = array_.cycle() + cycles;
    while (array_.cycle() < until) {
        const RunResult run = array_.run(std::min(kSlice, until - array_.cycle()));
        account();
        if (context.destroyed) {
            return {Outcome::Kind::kCancelled, kSuccess, {}};
        }
        if (run.stop == Stop::kFault) {
            if (Outcome outcome = broken(context); !good(outcome)) {
                return outcome;
            }
        }
    }
    return {};
}

Outcome Executor::broken(Context& context) {
    Outcome outcome;
    for (const Fault& fault : array_.take_faults()) {
        const uint32_t column = fault.tile.column;
        report_(event_of(fault), fault.what);
        // AMD's own bandwidth measure (amd/xdna-driver tools/bins, Phoenix) enables cores that have
        // no program, so an error of a core ends no command that does not wait for it.
        if (good(outcome) && fault.kind != FaultKind::kCoreHalted &&
            column - context.start_column < context.columns) {
            outcome = failed(status_of(fault), fault.what);
        }
    }
    return outcome;
}

void Executor::collect_tokens() {
    while (const auto token = array_.take_token()) {
        ++tokens_[{token->tile.column, token->tile.row, token->direction, token->channel}];
    }
}

std::string Executor::waits(const Context& context) const {
    std::string out;
    for (const Wait& wait : array_.waits(context.start_column, context.columns)) {
        out += "; " + to_string(wait);
    }
    return out;
}

void Executor::retire(const Context& context) {
    for (uint32_t i = 0; i < context.columns; ++i) {
        Loaded& column = loaded_[context.start_column + i];
        if (column.context == context.serial) {
            array_.reset_partition(context.start_column + i, 1);
            array_.attach_host_memory(context.start_column + i, 1, nullptr);
            column = {};
        }
    }
}

}  // namespace xdna::emu::firmware
