#include <algorithm>
#include <array>
#include <limits>

#include "kernels/as/unit.hpp"

namespace xdna::as {

namespace {

using Kind = Fragment::Kind;

/// llvm-aie aligns every branch target and return address so.
constexpr std::uint32_t kTargetAlignment = 16;
/// How far back bundles are lengthened for the sake of one alignment.
constexpr std::size_t kReach = 64;

/// The format with exactly that many bytes for the bundle; nothing if there is none.
std::optional<isa::Format> format_of_size(const Fragment& bundle, unsigned size) {
    const auto format = isa::shortest_format(slots(bundle), size);
    return format && isa::info(*format).size == size ? format : std::nullopt;
}

class Layout {
  public:
    Layout(UnitSection& section, Diagnostics& diagnostics)
        : fragments_(section.fragments), section_(section), diagnostics_(diagnostics) {}

    void run() {
        for (std::size_t i = 0; i < fragments_.size(); ++i) {
            Fragment& fragment = fragments_[i];
            fragment.offset = offset_;
            fragment.padding = 0;
            if (section_.executable())
                place_code(i);
            else if (fragment.kind == Kind::kAlign)
                fragment.padding = missing(fragment.alignment);
            fragment.size = content_size(fragment);
            offset_ = fragment.address() + fragment.size;
            if (offset_ > std::numeric_limits<std::uint32_t>::max() / 2) {
                diagnostics_.error(fragment.where, "section " + section_.name + " is too large");
                return;
            }
        }
        section_.size = offset_;
        for (Fragment& fragment : fragments_) {
            if (fragment.kind != Kind::kLabel)
                continue;
            fragment.label->offset = fragment.address();
            fragment.label->placed = true;
        }
    }

  private:
    [[nodiscard]] std::uint32_t missing(std::uint32_t alignment) const {
        return (0U - offset_) & (alignment - 1);
    }

    static std::uint32_t content_size(const Fragment& fragment) {
        switch (fragment.kind) {
            case Kind::kBundle:
                return isa::info(fragment.format).size;
            case Kind::kData:
                return static_cast<std::uint32_t>(fragment.data.size()) + fragment.reserve;
            default:
                return 0;
        }
    }

    void place_code(std::size_t i) {
        Fragment& fragment = fragments_[i];
        switch (fragment.kind) {
            case Kind::kLabel:
                if (fragment.label->target && fragment.auto_align)
                    align(i, kTargetAlignment);
                break;
            case Kind::kAlign:
                align(i, fragment.alignment);
                break;
            case Kind::kData:
                first_movable_ = i + 1;
                break;
            case Kind::kBundle:
                place_bundle(i);
                break;
        }
    }

    void place_bundle(std::size_t i) {
        Fragment& fragment = fragments_[i];
        if (since_call_ && *since_call_ == isa::kDelaySlots && fragment.auto_align)
            align(i, kTargetAlignment);
        if (fragment.minimum > isa::info(fragment.format).size) {
            const auto longer = fragment.wanted
                                    ? std::nullopt
                                    : isa::shortest_format(slots(fragment), fragment.minimum);
            if (longer)
                fragment.format = *longer;
            else
                diagnostics_.error(fragment.where, "the last bundle of a loop must have " +
                                                       std::to_string(fragment.minimum) + " bytes");
        }
        if (offset_ % 2 != 0)  // behind data of odd size
            fragment.padding = 1;
        const auto opens = [&](auto predicate) {
            return std::ranges::any_of(fragment.instructions, [&](const ParsedInstruction& parsed) {
                return predicate(parsed.instruction.op);
            });
        };
        const auto count = [](std::optional<unsigned>& since, bool restart) {
            if (restart)
                since = 0;
            else if (since && ++*since > isa::kDelaySlots)
                since.reset();
        };
        count(since_branch_, opens(isa::is_branch));
        count(since_call_,
              opens([](isa::Op op) { return op == isa::Op::JL || op == isa::Op::JL_IND; }));
    }

    void align(std::size_t i, std::uint32_t alignment) {
        Fragment& fragment = fragments_[i];
        std::uint32_t pad = missing(alignment);
        if (pad != 0 && pad % 2 == 0 && !fragment.fill && lengthen(i, pad)) {
            offset_ += pad;
            fragment.offset = offset_;
            pad = 0;
        }
        if (pad != 0 && since_branch_ && *since_branch_ < isa::kDelaySlots) {
            diagnostics_.error(fragment.where,
                               "cannot align this to " + std::to_string(alignment) +
                                   " bytes: nops would come between a branch and its delay slots");
        }
        fragment.padding = pad;
        first_movable_ = i;
    }

    /// Makes the bundles before fragment i longer by `bytes` in all, changing as few as possible,
    /// the nearest first. False if that cannot be.
    bool lengthen(std::size_t i, std::uint32_t bytes) {
        struct Step {
            unsigned changed = std::numeric_limits<unsigned>::max();
            std::size_t previous = 0;  ///< units before this bundle was lengthened
            std::size_t choice = 0;    ///< index in path, of the bundle
        };
        // steps[b][g]: the fewest changes for g units of two bytes with the first b bundles.
        if (bytes > kReach * isa::kMaxBundleBytes)
            return false;
        const std::size_t units = bytes / 2;
        std::vector<std::size_t> bundles;
        std::vector<std::vector<Step>> steps(1, std::vector<Step>(units + 1));
        steps[0][0].changed = 0;
        for (std::size_t k = i; k-- > first_movable_ && bundles.size() < kReach;) {
            const Fragment& bundle = fragments_[k];
            if (bundle.kind != Kind::kBundle || bundle.wanted)
                continue;
            bundles.push_back(k);
            const auto& before = steps.back();
            std::vector<Step> after(units + 1);
            for (std::size_t g = 0; g <= units; ++g)
                after[g] = {before[g].changed, g, 0};
            const unsigned size = isa::info(bundle.format).size;
            for (unsigned longer = size + 2; longer <= isa::kMaxBundleBytes; longer += 2) {
                const std::size_t gain = (longer - size) / 2;
                if (gain > units || !format_of_size(bundle, longer))
                    continue;
                for (std::size_t g = gain; g <= units; ++g)
                    if (before[g - gain].changed <
                        after[g].changed - (after[g].changed != 0 ? 1 : 0))
                        after[g] = {before[g - gain].changed + 1, g - gain, longer};
            }
            steps.push_back(std::move(after));
            if (steps.back()[units].changed == 1)
                break;
        }
        if (steps.back()[units].changed == std::numeric_limits<unsigned>::max())
            return false;
        std::size_t g = units;
        for (std::size_t b = bundles.size(); b > 0; --b) {
            const Step& step = steps[b][g];
            if (step.choice != 0) {
                Fragment& bundle = fragments_[bundles[b - 1]];
                bundle.format = *format_of_size(bundle, static_cast<unsigned>(step.choice));
            }
            g = step.previous;
        }
        move(bundles.back(), i);
        return true;
    }

    /// Places the fragments from `first` to before `end` anew, after their formats changed.
    void move(std::size_t first, std::size_t end) {
        std::uint32_t at = fragments_[first].offset;
        for (std::size_t k = first; k < end; ++k) {
            fragments_[k].offset = at;
            fragments_[k].size = content_size(fragments_[k]);
            at = fragments_[k].address() + fragments_[k].size;
        }
    }

    std::vector<Fragment>& fragments_;
    UnitSection& section_;
    Diagnostics& diagnostics_;
    std::uint32_t offset_ = 0;
    std::size_t first_movable_ = 0;  ///< fragments before it are aligned, or data
    std::optional<unsigned> since_branch_;
    std::optional<unsigned> since_call_;
};

}  // namespace

void lay_out(Unit& unit, Diagnostics& diagnostics) {
    for (UnitSection& section : unit.sections)
        Layout(section, diagnostics).run();
}

}  // namespace xdna::as
