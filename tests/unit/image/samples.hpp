// One small sample of each container, made by our own writers, with every command and operation
// in it.
#pragma once

#include "libxdna/image/cdo.hpp"
#include "libxdna/image/dpu_sequence.hpp"
#include "libxdna/image/ert_packet.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/transaction.hpp"
#include "libxdna/image/xclbin_recipe.hpp"

namespace xdna::image::samples {

Cdo cdo();
Pdi pdi();
Transaction transaction(bool optimized);
DpuSequence dpu_sequence();
std::vector<ert::Packet> ert_packets();
Xclbin xclbin();

// A control-code ELF: .ctrltext with one shim BD, a relocation of each schema of AIE2 into it.
Bytes control_elf();

}  // namespace xdna::image::samples
