#include "emu/uapi/driver/fence.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace xdna::emu::driver {

namespace {

std::atomic<uint64_t> next_context{1};

Chain* as_chain(const FencePtr& fence) {
    return dynamic_cast<Chain*>(fence.get());
}

}  // namespace

bool FenceArray::signaled() {
    return std::all_of(fences_.begin(), fences_.end(),
                       [](const FencePtr& fence) { return fence->signaled(); });
}

// Sources: linux drivers/dma-buf/dma-fence-chain.c for the rules of seqno and context.
Chain::Chain(FencePtr previous, FencePtr fence, uint64_t point)
    : previous_(std::move(previous)), fence_(std::move(fence)), seqno_(point) {
    Chain* before = as_chain(previous_);
    if (before != nullptr && point > before->seqno_) {
        context_ = before->context_;
        previous_seqno_ = before->seqno_;
    } else {
        context_ = next_context++;
        if (before != nullptr) {
            seqno_ = std::max(before->seqno_, point);
        }
    }
}

Chain::~Chain() {
    // A long chain must not be torn down by recursion.
    FencePtr next = std::move(previous_);
    while (next && next.use_count() == 1) {
        Chain* chain = as_chain(next);
        if (chain == nullptr) {
            break;
        }
        next = std::exchange(chain->previous_, nullptr);
    }
}

FencePtr Chain::walk() {
    while (previous_) {
        Chain* chain = as_chain(previous_);
        if (chain == nullptr) {
            if (!previous_->signaled()) {
                break;
            }
            previous_ = nullptr;
        } else {
            if (!chain->fence_->signaled()) {
                break;
            }
            FencePtr replacement = chain->previous_;
            previous_ = std::move(replacement);
        }
    }
    return previous_;
}

bool Chain::signaled() {
    if (!fence_->signaled()) {
        return false;
    }
    for (FencePtr fence = walk(); fence;) {
        Chain* chain = as_chain(fence);
        if (!(chain != nullptr ? chain->fence_ : fence)->signaled()) {
            return false;
        }
        fence = chain != nullptr ? chain->walk() : nullptr;
    }
    return true;
}

bool find_point(FencePtr& fence, uint64_t point) {
    if (point == 0) {
        return true;
    }
    Chain* head = as_chain(fence);
    if (head == nullptr || head->seqno() < point) {
        return false;
    }
    const uint64_t context = head->context();
    FencePtr at = fence;
    while (at) {
        Chain* chain = as_chain(at);
        if (chain == nullptr || chain->context() != context || chain->previous_seqno() < point) {
            break;
        }
        at = chain->walk();
    }
    fence = at;
    return true;
}

FencePtr unwrap(const FencePtr& fence) {
    std::vector<FencePtr> pending;
    for (FencePtr at = fence; at;) {
        Chain* chain = as_chain(at);
        const FencePtr& leaf = chain != nullptr ? chain->contained() : at;
        if (!leaf->signaled()) {
            pending.push_back(leaf);
        }
        at = chain != nullptr ? chain->walk() : nullptr;
    }
    if (pending.empty()) {
        return std::make_shared<Event>(true);
    }
    if (pending.size() == 1) {
        return pending.front();
    }
    return std::make_shared<FenceArray>(std::move(pending));
}

}  // namespace xdna::emu::driver
