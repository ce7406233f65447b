#include "emu/pci/mailbox.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace xdna::emu::pci {

namespace {

struct Header {
    uint32_t total_size;  ///< of the payload
    uint32_t size_and_version;
    uint32_t id;
    uint32_t opcode;
};

constexpr uint32_t kTombstone = 0xDEADFACE;  // the rest of the ring is unused: go on at its start
constexpr uint32_t kVersion = 1U << 16;

uint32_t load(std::span<const std::byte> memory, uint32_t at) {
    uint32_t value = 0;
    std::memcpy(&value, memory.data() + at, sizeof value);
    return value;
}

void store(std::span<std::byte> memory, uint32_t at, uint32_t value) {
    std::memcpy(memory.data() + at, &value, sizeof value);
}

}  // namespace

Mailbox::Mailbox(std::span<std::byte> registers, std::span<std::byte> rings, uint32_t ring_bytes)
    : registers_(registers),
      x2i_(rings.subspan(0, ring_bytes)),
      i2x_(rings.subspan(ring_bytes, ring_bytes)) {
    std::fill_n(registers_.begin(), static_cast<size_t>(kRegisterBytes), std::byte{0});
}

uint32_t Mailbox::get(Register at) const {
    return load(registers_, at);
}

void Mailbox::set(Register at, uint32_t value) {
    store(registers_, at, value);
}

std::vector<Message> Mailbox::take(uint32_t tail, std::string& problem) {
    std::vector<Message> messages;
    const auto wrong = [&](const std::string& what) {
        dead_ = true;
        problem = what;
        return std::vector<Message>();
    };
    if (dead_) {
        return messages;
    }
    // The ring is memory that the driver shares: what it wrote before the tail is to be seen.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (tail > x2i_.size() || tail % sizeof(uint32_t) != 0) {
        return wrong("X2I tail " + std::to_string(tail));
    }
    bool wrapped = false;
    while (x2i_head_ != tail) {
        const auto left = static_cast<uint32_t>(x2i_.size()) - x2i_head_;
        if (left >= sizeof(uint32_t) && load(x2i_, x2i_head_) == kTombstone && !wrapped) {
            x2i_head_ = 0;
            wrapped = true;
            continue;
        }
        Header header{};
        if (left < sizeof header) {
            return wrong("X2I message at " + std::to_string(x2i_head_) +
                         ": no room for its header");
        }
        std::memcpy(&header, x2i_.data() + x2i_head_, sizeof header);
        const uint32_t end = tail > x2i_head_ ? tail : static_cast<uint32_t>(x2i_.size());
        if (header.total_size % sizeof(uint32_t) != 0 ||
            header.total_size > end - x2i_head_ - sizeof header) {
            return wrong("X2I message at " + std::to_string(x2i_head_) + ": " +
                         std::to_string(header.total_size) + " bytes of payload");
        }
        const std::byte* payload = x2i_.data() + x2i_head_ + sizeof header;
        messages.push_back({header.id, header.opcode, {payload, payload + header.total_size}});
        x2i_head_ += static_cast<uint32_t>(sizeof header) + header.total_size;
        set(kX2iHead, x2i_head_);
    }
    return messages;
}

bool Mailbox::put(Message message) {
    waiting_.push_back(std::move(message));
    return flush();
}

bool Mailbox::flush() {
    bool placed = false;
    while (!dead_ && !waiting_.empty() && place(waiting_.front())) {
        waiting_.pop_front();
        placed = true;
    }
    if (placed) {
        set(kInterrupt, 1);
    }
    return placed;
}

bool Mailbox::place(const Message& message) {
    const auto payload = static_cast<uint32_t>(message.payload.size());
    const Header header{payload, payload | kVersion, message.id, message.opcode};
    const auto bytes = static_cast<uint32_t>(sizeof header) + payload;
    const auto end = static_cast<uint32_t>(i2x_.size() - sizeof(uint32_t));
    const uint32_t head = get(kI2xHead);
    // Never up to the head from below: equal means empty.
    if (i2x_tail_ >= head) {
        if (i2x_tail_ + bytes > end) {
            if (bytes >= head) {
                return false;
            }
            store(i2x_, i2x_tail_, kTombstone);
            i2x_tail_ = 0;
        }
    } else if (i2x_tail_ + bytes >= head) {
        return false;
    }
    std::memcpy(i2x_.data() + i2x_tail_, &header, sizeof header);
    std::memcpy(i2x_.data() + i2x_tail_ + sizeof header, message.payload.data(), payload);
    i2x_tail_ += bytes;
    std::atomic_thread_fence(std::memory_order_release);
    set(kI2xTail, i2x_tail_);
    return true;
}

}  // namespace xdna::emu::pci
