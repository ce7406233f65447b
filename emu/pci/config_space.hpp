// PCI configuration space of the NPU, and the fault switch in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xdna::emu::pci {

/// What a tester in the guest asks for by writing the vendor-specific capability: its byte 3 is
/// one of these, its byte 4 how often (0: as 1).
enum class Fault : uint8_t {
    kNone = 0,
    kMuteManagement = 1,  ///< the next management messages get no answer
    kMuteCommands = 2,    ///< the next commands of contexts get no answer
    kPspRefuses = 3,      ///< the next PSP commands fail
    kFirmwareDead = 4,    ///< the next times that the firmware is started it never says so
};

/// 4096 bytes. BARs are sized by QEMU: what is written to them is kept, and not looked at.
class ConfigSpace {
  public:
    static constexpr size_t kBytes = 4096;

    ConfigSpace();
    void read(uint64_t offset, std::span<std::byte> to) const;
    void write(uint64_t offset, std::span<const std::byte> from);

    /// True, and one time less, where `fault` is to happen now.
    bool strikes(Fault fault);

  private:
    std::array<std::byte, kBytes> bytes_{};
};

}  // namespace xdna::emu::pci
