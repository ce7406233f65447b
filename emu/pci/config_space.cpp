#include "emu/pci/config_space.hpp"

#include <algorithm>
#include <cstring>

#include "emu/pci/layout.hpp"

namespace xdna::emu::pci {

namespace {

// Offsets and values: PCI Local Bus Specification 3.0, PCI Express Base Specification 2.0; in Linux
// include/uapi/linux/pci_regs.h.
constexpr size_t kPowerManagement = 0x48, kExpress = 0x64, kMsix = 0xA0, kFaults = 0xC0;
constexpr size_t kFaultBytes = 5, kFaultKind = kFaults + 3, kFaultCount = kFaults + 4;

/// What may be written: the rest keeps its value.
struct Writable {
    size_t offset;
    size_t bytes;
};
constexpr Writable kWritable[] = {
    {0x04, 2},                  // command
    {0x0C, 2},                  // cache line size, latency timer
    {0x10, 0x18},               // BARs
    {0x3C, 1},                  // interrupt line
    {kPowerManagement + 4, 2},  // power state
    {kExpress + 8, 2},          // device control
    {kExpress + 16, 2},         // link control
    {kExpress + 40, 2},         // device control 2
    {kMsix + 2, 2},             // enable, mask
    {kFaultKind, 2},
};

}  // namespace

ConfigSpace::ConfigSpace() {
    const auto put = [this](size_t offset, uint64_t value, size_t size) {
        std::memcpy(bytes_.data() + offset, &value, size);
    };
    constexpr uint64_t kStatusCapabilities = 0x10, kBar64Prefetchable = 0xC;
    put(0x00, layout::kVendor, 2);
    put(0x02, layout::kDeviceId, 2);
    put(0x06, kStatusCapabilities, 2);
    put(0x09, layout::kClass, 3);
    put(0x10 + layout::kSramBar * sizeof(uint32_t), kBar64Prefetchable, 4);
    put(0x2C, layout::kVendor, 2);
    put(0x2E, layout::kDeviceId, 2);

    size_t link = 0x34;
    const auto capability = [&](size_t offset, uint8_t id) {
        put(link, offset, 1);
        put(offset, id, 1);
        link = offset + 1;
    };
    constexpr uint8_t kIdPower = 0x01, kIdVendor = 0x09, kIdExpress = 0x10, kIdMsix = 0x11;
    capability(kPowerManagement, kIdPower);
    put(kPowerManagement + 2, 0x0003, 2);  // version 3
    put(kPowerManagement + 4, 0x0008, 2);  // no soft reset: what D3hot keeps is the driver's to say
    capability(kExpress, kIdExpress);
    put(kExpress + 2, 0x0002, 2);       // version 2, endpoint
    put(kExpress + 4, 0x00008000, 4);   // role-based error reporting
    put(kExpress + 12, 0x00000011, 4);  // link: 2.5 GT/s, one lane
    put(kExpress + 18, 0x0011, 2);
    capability(kMsix, kIdMsix);
    put(kMsix + 2, layout::kVectors - 1, 2);
    put(kMsix + 4, layout::kMsixTable | layout::kMsixBar, 4);
    put(kMsix + 8, layout::kMsixPending | layout::kMsixBar, 4);
    capability(kFaults, kIdVendor);
    put(kFaults + 2, kFaultBytes, 1);
}

void ConfigSpace::read(uint64_t offset, std::span<std::byte> to) const {
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), to.size(), to.begin());
}

void ConfigSpace::write(uint64_t offset, std::span<const std::byte> from) {
    for (const Writable& field : kWritable) {
        const uint64_t start = std::max<uint64_t>(offset, field.offset);
        const uint64_t end = std::min<uint64_t>(offset + from.size(), field.offset + field.bytes);
        for (uint64_t at = start; at < end; ++at) {
            bytes_[at] = from[at - offset];
        }
    }
}

bool ConfigSpace::strikes(Fault fault) {
    if (fault == Fault::kNone || bytes_[kFaultKind] != static_cast<std::byte>(fault)) {
        return false;
    }
    const auto left = static_cast<uint8_t>(bytes_[kFaultCount]);
    bytes_[kFaultCount] = static_cast<std::byte>(left > 1 ? left - 1 : 0);
    if (left <= 1) {
        bytes_[kFaultKind] = std::byte{0};
    }
    return true;
}

}  // namespace xdna::emu::pci
