// Control code and configuration in words, one operation a line, registers by name. Used by
// `xdna-image dump`, and by whoever reports where a command stopped.
#pragma once

#include <cstdint>
#include <string>

#include "libxdna/image/cdo.hpp"
#include "libxdna/image/dpu_sequence.hpp"
#include "libxdna/image/ert_packet.hpp"
#include "libxdna/image/transaction.hpp"

namespace xdna::image {

// "(1,0) noc.DMA_BD1_1": tile as (column,row), then the register.
std::string address_text(uint64_t address);

// "= 0x2000000 {Valid_BD 1}": a value with the fields of the register that are not zero.
std::string value_text(uint64_t address, uint32_t value);

// Without a line feed, except that a block of register words has one line for each word, indented.
// Words that go to a memory are counted, not listed.
std::string to_text(const cdo::Command& command);
std::string to_text(const txn::Operation& operation);
std::string to_text(const DpuInstruction& instruction);
std::string to_text(const ert::Packet& packet);

}  // namespace xdna::image
