// Fences and timelines with the semantics of the kernel's dma_fence and dma_fence_chain. All of it
// is used with the device's lock held.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace xdna::emu::driver {

class Fence {
  public:
    virtual ~Fence() = default;
    virtual bool signaled() = 0;
};
using FencePtr = std::shared_ptr<Fence>;

/// Signalled once, by whoever made it.
class Event final : public Fence {
  public:
    explicit Event(bool signaled = false) : signaled_(signaled) {}
    bool signaled() override { return signaled_; }
    void signal() { signaled_ = true; }

  private:
    bool signaled_;
};

/// Signalled when all of several are.
class FenceArray final : public Fence {
  public:
    explicit FenceArray(std::vector<FencePtr> fences) : fences_(std::move(fences)) {}
    bool signaled() override;

  private:
    std::vector<FencePtr> fences_;
};

/// A point of a timeline: signalled when its fence and all earlier points are.
class Chain final : public Fence {
  public:
    Chain(FencePtr previous, FencePtr fence, uint64_t point);
    ~Chain() override;
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;

    bool signaled() override;

    /// The number as the timeline shows it: never less than that of an earlier point.
    uint64_t seqno() const { return seqno_; }
    uint64_t previous_seqno() const { return previous_seqno_; }
    /// Points of one context are in order; adding a point that is not starts a new context.
    uint64_t context() const { return context_; }
    const FencePtr& contained() const { return fence_; }

    /// The previous point, or the plain fence at the timeline's start, that still matters:
    /// signalled ones are dropped on the way.
    FencePtr walk();

  private:
    FencePtr previous_;
    FencePtr fence_;
    uint64_t seqno_;
    uint64_t previous_seqno_ = 0;
    uint64_t context_;
};

/// The fence that a waiter for `point` waits on. False if the timeline has no such point yet; true
/// with an empty `fence` when the point is long past.
bool find_point(FencePtr& fence, uint64_t point);

/// What must still signal of `fence`, as one fence (already signalled if nothing).
FencePtr unwrap(const FencePtr& fence);

}  // namespace xdna::emu::driver
